"""The pages in a real browser: the ways through them, hostile text, and how they look."""

import json
import re
import subprocess
import urllib.parse
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import Visitor
from conftest import Site, sheet
from hostile import HOSTILE
from playwright.sync_api import expect

LOOKS = (Path(__file__).parent / "looks.js").read_text(encoding="utf-8")

Visit = Callable[..., Visitor]


def test_the_way_from_the_key_to_the_proof(visit: Visit, site: Site, tmp_path: Path) -> None:
    visitor = visit()
    page = visitor.page
    visitor.expected_failures = 1
    page.goto(site.served.url + "/")
    assert "/ui/sign-in?next=" in page.url
    page.fill("#key", "qt_wrong")
    page.press("#key", "Enter")
    expect(page.get_by_role("alert")).to_contain_text("not known")
    visitor.expected_failures = 0
    page.fill("#key", site.admin)
    page.press("#key", "Enter")
    expect(page).to_have_title("Projects · Quark Trace")

    page.fill("#q", "feder")
    page.press("#q", "Enter")
    expect(page.locator(".project")).to_have_count(1)
    page.click("text=federation")
    expect(page.locator(".verdict-line")).to_contain_text("Nothing was changed. Verified at level L2")
    expect(page.get_by_role("img", name=re.compile("^loss by round"))).to_be_visible()
    expect(page.locator(".gap")).to_have_count(1)
    page.click("text=What that proves, and what it does not")
    expect(page.get_by_text("That the key is the right one.")).to_be_visible()

    page.click("nav >> text=Records")
    expect(page.locator("tbody tr")).to_have_count(50)
    page.click("text=Go on")
    expect(page.locator("tbody tr")).to_have_count(20)
    page.fill("#filter", "payload.lossy < 3 AND")
    page.press("#filter", "Enter")
    expect(page.locator(".caret pre")).to_contain_text("^")
    page.fill("#filter", "payload.round >= 9 AND stage = 'client_round' ORDER BY payload.loss DESC")
    page.fill("#q", "WEST")
    page.press("#filter", "Enter")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.click("tbody tr >> nth=0 >> a >> nth=0")
    expect(page.locator(".json")).to_contain_text('"site": "west"')
    check_by_hand(visitor, site, tmp_path)

    page.click("nav >> text=Fact sheet")
    expect(page.locator("ins")).to_contain_text("radiology of the chest")
    expect(page.locator(".chosen")).to_contain_text("Dr. Haddad")
    page.click("nav >> text=Verification")
    key = page.locator(".hashes div:has-text('Key') code").inner_text()
    note = page.locator("section pre code").inner_text()
    page.select_option("#level", "L2")
    page.fill("#key", key)
    page.fill("#checkpoint", note)
    page.click("text=Verify >> nth=-1")
    expect(page.get_by_text("The signature is by the key that you gave.")).to_be_visible()
    page.fill("#key", "nonsense")
    page.locator("form button", has_text="Verify").click()
    expect(page.get_by_role("alert")).to_contain_text("NAME+HASH+KEY")
    visitor.check()


def check_by_hand(visitor: Visitor, site: Site, folder: Path) -> None:
    """Downloads what the record's page offers, and runs the lines that it shows."""
    page = visitor.page
    for link, name in [("Download the record", "record.json"), ("Download the proof", "proof.txt")]:
        with page.expect_download() as download:
            page.click(f"text={link}")
        download.value.save_as(folder / name)
    page.click("text=Check it by hand")
    lines = page.locator(".hand pre code").text_content()
    done = subprocess.run(["sh", "-c", lines], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "record: fits\nroot: fits" in done.stdout, done.stdout + done.stderr


def test_the_registry(visit: Visit, site: Site) -> None:
    visitor = visit()
    page = visitor.page
    visitor.sign_in(site.admin)
    page.click("text=Registry")
    page.click("text=Add a node")
    page.fill("#node-id", "site-9")
    page.fill("#node-name", "Ward 9")
    page.click("text=Add the node")
    expect(page.get_by_role("status")).to_contain_text("takes part now")
    visitor.expected_failures = 1
    page.click("text=Add a node")
    page.fill("#node-id", "site-9")
    page.click("text=Add the node")
    expect(page.get_by_role("alert")).to_contain_text("already")
    visitor.expected_failures = 0
    page.click("text=Issue a key")
    page.select_option("#key-role", "node")
    page.select_option("#key-node", "site-9")
    page.fill("#key-name", "from the page")
    page.click("text=Issue the key")
    key = page.locator("pre.key").inner_text()
    assert site.served.request("GET", "/registry/nodes/site-9", key)[0] == 200
    page.locator("tr", has_text="from the page").get_by_text("Revoke").click()
    expect(page.get_by_role("status")).to_contain_text("has ended")
    assert key not in page.content()
    assert site.served.request("GET", "/registry/nodes/site-9", key)[0] == 401
    page.locator("tr", has_text="site-9").first.get_by_text("Deactivate").click()
    expect(page.locator("tr", has_text="Ward 9")).to_contain_text("inactive")
    page.click("text=Sign out")
    page.wait_for_url("**/ui/sign-in")
    page.goto(site.served.url + "/ui/projects/federation")
    assert page.url.endswith("/ui/sign-in?next=%2Fui%2Fprojects%2Ffederation")
    page.fill("#key", site.node)
    page.press("#key", "Enter")
    page.wait_for_url("**/ui/projects/federation")
    expect(page.get_by_role("navigation", name="Main")).not_to_contain_text("Registry")
    visitor.expected_failures = 1
    assert visitor.go("/ui/registry") == 403
    assert visitor.go("/ui/projects/nothing") == 404
    expect(page.get_by_role("heading", level=1)).to_have_text("There is nothing here")


def test_everything_works_without_a_script(visit: Visit, site: Site) -> None:
    visitor = visit(java_script_enabled=False)
    page = visitor.page
    visitor.sign_in(site.admin)
    page.click("text=federation")
    page.click("nav >> text=Records")
    page.fill("#filter", "payload.round = 3")
    page.click("text=Find")
    expect(page.locator("tbody tr")).to_have_count(4)
    page.click("tbody tr >> nth=1 >> a >> nth=0")
    expect(page.get_by_role("heading", name="Proof")).to_be_visible()
    page.click("nav >> text=Verification")
    expect(page.locator(".verdict-line")).to_contain_text("Nothing was changed")
    page.click("text=Sign out")
    page.wait_for_url("**/ui/sign-in")


def test_records_appear_while_a_run_goes_on(visit: Visit, site: Site) -> None:
    assert site.served.request("POST", "/projects/", site.node, sheet("running"))[0] == 201
    visitor = visit()
    page = visitor.page
    visitor.sign_in(site.admin)
    visitor.go("/ui/projects/running")
    expect(page.locator("#live-state")).to_contain_text("Live")
    for number in range(3):
        site.log("running", "client_round", {"round": number, "site": "north", "loss": 1 / (number + 1)}, number)
    expect(page.locator("table.records tbody tr")).to_have_count(3, timeout=8000)
    expect(page.locator("#live-state")).to_contain_text("3 new records")
    page.locator("summary", has_text="Numbers as a table").first.click()
    page.evaluate("document.activeElement.blur()")
    site.log("running", "client_round", {"round": 3, "site": "north", "loss": 0.2}, 3)
    expect(page.locator("table.records tbody tr")).to_have_count(4, timeout=8000)
    assert page.locator("details.data").first.evaluate("details => details.open"), "what was opened was closed"
    visitor.check()


def test_a_form_from_elsewhere_does_nothing(visit: Visit, site: Site) -> None:
    visitor = visit()
    visitor.sign_in(site.admin)
    post = visitor.context.request.post
    url = site.served.url + "/ui/registry/nodes"
    form = {"node_id": "forged", "institution_id": "hospital", "name": ""}
    assert post(url, form=form).status == 403
    assert post(url, form=form | {"csrf": "0" * 64}).status == 403
    token = visitor.context.request.get(site.served.url + "/ui/registry").text()
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', token).group(1)
    foreign = {"Origin": "https://evil.example"}
    assert post(url, form=form | {"csrf": token}, headers=foreign).status == 403
    assert "forged" not in visitor.context.request.get(site.served.url + "/ui/registry").text()
    assert post(url, form=form | {"csrf": token}).status == 200


def test_no_hostile_text_runs_or_is_blocked(visit: Visit, site: Site) -> None:
    visitor = visit()
    visitor.sign_in(site.admin)
    pages = ["/ui/", "/ui/registry"]
    for project in site.hostile:
        base = f"/ui/projects/{project}"
        pages += [base, base + "/records", base + "/sheets/1", base + "/verify"]
    for path in pages:
        assert visitor.go(path) == 200, path
    seen = 0
    for project in site.hostile:
        visitor.go(f"/ui/projects/{project}/records")
        links = visitor.page.locator("td.number a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        for link in links:
            assert visitor.go(link) == 200, link
            seen += 1
    assert seen >= 200, seen
    for text in HOSTILE[::5]:
        text = urllib.parse.quote(text[:1500].encode("utf-8", "replace"))
        base = "/ui/projects/federation"
        for path in [f"{base}/records?filter={text}", f"{base}/records?q={text}", f"{base}/records?after={text}",
                     f"/ui/?q={text}", f"{base}/verify?key={text}&checkpoint={text}"]:
            assert visitor.go(path) in (200, 400), path
    visitor.expected_failures = 1
    for text in HOSTILE[::5]:
        text = urllib.parse.quote(text[:300].encode("utf-8", "replace"), safe="")
        for path in [f"/ui/{text}", f"/ui/projects/{text}", f"/ui/projects/federation/records/{text}",
                     f"/ui/sign-in?next={text}"]:
            assert visitor.go(path) in (200, 400, 404), path


def test_the_watch_sees_what_runs_and_what_is_blocked(visit: Visit, site: Site) -> None:
    visitor = visit()
    visitor.sign_in(site.admin)
    visitor.page.evaluate("""() => {
        try {
            const script = document.createElement("script");
            script.textContent = "alert(1)";
            document.body.append(script);
        } catch { /* trusted types refuse it */ }
        const picture = document.createElement("img");
        picture.src = "https://evil.example/x.png";
        document.body.append(picture);
    }""")
    visitor.page.wait_for_timeout(300)
    with pytest.raises(AssertionError):
        visitor.check()
    visitor.faults.clear()


PAGES = {
    "projects": "/ui/",
    "project": "/ui/projects/federation",
    "records": "/ui/projects/federation/records",
    "wrong-filter": "/ui/projects/federation/records?filter=stag%20%3D%201",
    "nothing-found": "/ui/projects/federation/records?q=zebra",
    "record": "/ui/projects/federation/records/federation-7",
    "sheet": "/ui/projects/federation/sheets/2",
    "verify": "/ui/projects/federation/verify?level=L3",
    "registry": "/ui/registry",
    "hostile": "/ui/projects/hostile-3",
    "hostile-records": "/ui/projects/hostile-3/records",
    "missing": "/ui/projects/nothing",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_looks(scheme: str, width: int, visit: Visit, site: Site, shots: Path | None) -> None:
    visitor = visit(color_scheme=scheme, viewport={"width": width, "height": 900})
    visitor.expected_failures = 1
    visitor.page.goto(site.served.url + "/ui/sign-in")
    faults = {"sign-in": visitor.page.evaluate(LOOKS)}
    visitor.sign_in(site.admin)
    for name, path in PAGES.items():
        visitor.go(path)
        faults[name] = visitor.page.evaluate(LOOKS)
        if shots:
            visitor.shot(shots, f"{name}-{scheme}-{width}")
    assert not any(faults.values()), json.dumps({k: v for k, v in faults.items() if v}, indent=1, ensure_ascii=False)


def test_a_project_can_be_printed(visit: Visit, site: Site, shots: Path | None) -> None:
    visitor = visit()
    visitor.sign_in(site.admin)
    visitor.go("/ui/projects/federation")
    visitor.page.emulate_media(media="print")
    # The proof's words are in a closed part; paper has all of them, and nothing to click.
    expect(visitor.page.get_by_text("That the key is the right one.")).to_be_visible()
    expect(visitor.page.get_by_text("Sign out")).to_be_hidden()
    if shots:
        visitor.page.pdf(path=shots / "project.pdf", format="A4")
