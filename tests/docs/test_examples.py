"""Every shell, console and Python block of README.md and docs/ runs, and shows what it says.

A document is one session, in one folder that begins empty. A `console` block has
commands after `$ ` with their output below; what differs from run to run (ids, times, digests, keys) is
masked on both sides, and a line `...` stands for any lines. The `sh` blocks of a document are one script,
which must succeed. A `python` block runs in a folder of its own with a fresh fact sheet, because readers begin there.
Commands about the checkout itself (make, cargo, pip) are only checked to name something that exists.
Rust blocks run as documentation tests of the library. A document that names the PostgreSQL server
db.example.org runs against a real one, whose administrator runs its `sql` blocks.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "python/tests/backends"))

from places import Absent, Server  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = Path(os.environ.get("QUARK_TRACE_COMMAND", REPOSITORY / "target/debug/quark-trace"))
DOCUMENTS = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
RUN = {"sh", "console", "python"}
KNOWN = RUN | {"rust", "text", "yaml", "json", "sql"}
SERVER_OF_THE_DOCUMENTS = "db.example.org"
OF_THE_CHECKOUT = re.compile(r"^(make|cargo|pip|python3 -m pip|git) ")
MASKS = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{6})?(\+00:00)?"), "<time>"),
    (re.compile(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}"), "<key>"),
    (re.compile(r"[0-9a-f]{12,64}…?"), "<hex>"),
    (re.compile(r"[A-Za-z0-9+/]{43,92}={0,2}"), "<base64>"),
    (re.compile(r" +"), " "),
]


def blocks(path: Path) -> list[tuple[str, int, str]]:
    """The fenced blocks of a document: language, line, text."""
    found = []
    text = path.read_text(encoding="utf-8")
    for match in re.finditer(r"^( *)```(\w*)\n(.*?)^\1```$", text, re.MULTILINE | re.DOTALL):
        body = re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
        found.append((match[2], text.count("\n", 0, match.start()) + 1, body))
    return found


def with_examples() -> list[Path]:
    return [path for path in DOCUMENTS if any(block[0] in RUN for block in blocks(path))]


@pytest.fixture
def session(tmp_path, monkeypatch):
    """An empty folder with the command and the Python of the tests in the path."""
    if not COMMAND.exists():
        pytest.fail(f"there is no {COMMAND}; build it with `cargo build -p quark-trace-cli`")
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "quark-trace").symlink_to(COMMAND)
    (binaries / "python3").symlink_to(sys.executable)
    folder = tmp_path / "session"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{binaries}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("QUARK_TRACE_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("QUARK_TRACE_CHECKOUT", str(REPOSITORY))
    for name in ("QUARK_TRACE_STORE", "QUARK_TRACE_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL, started when the first document asks for it."""
    running = Server()
    yield running
    running.stop()


@pytest.mark.parametrize("path", with_examples(), ids=lambda path: path.name)
def test_document(path, session, tmp_path, server, monkeypatch):
    script, address = "", address_for(path, server, monkeypatch)
    for number, (language, line, body) in enumerate(blocks(path)):
        where = f"{path.relative_to(REPOSITORY)}:{line}"
        assert language in KNOWN, f"{where}: a block without a known language: {language!r}"
        body = body.replace(SERVER_OF_THE_DOCUMENTS, address)
        if language == "sql":
            for statement in filter(None, map(str.strip, body.split(";"))):
                server.sql(statement)
        elif language == "console":
            run_console(body, session, where)
        elif language == "sh":
            script += shell_script(body, where)
        elif language == "python":
            # Whoever tries what the README shows tries it again, in the same folder.
            times = 2 if path.name == "README.md" else 1
            run_python(body, tmp_path / f"python-{number}", where, times)
    if script:
        run_shell(script, session, path.name)


def address_for(path: Path, server: Server, monkeypatch) -> str:
    """Host and port of the server that a document is about; its password is in the environment."""
    text = path.read_text(encoding="utf-8")
    if SERVER_OF_THE_DOCUMENTS not in text:
        return SERVER_OF_THE_DOCUMENTS
    try:
        url = urlsplit(server.url())
    except Absent as reason:
        pytest.skip(f"PostgreSQL: {reason}")
    for kind, name in re.findall(r"^CREATE (ROLE|DATABASE) (\w+)", text, re.MULTILINE)[::-1]:
        server.sql(f"DROP {kind} IF EXISTS {name}")
    monkeypatch.setenv("PGPASSWORD", re.search(r"PGPASSWORD=(\S+)", text)[1])
    return f"{url.hostname}:{url.port}"


def run_console(body: str, folder: Path, where: str) -> None:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        done = subprocess.run(["sh", "-c", command], cwd=folder, text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert fits(done.stdout, expected), (
            f"{where}: `{command}` shows\n{done.stdout}\ninstead of\n{expected}")


def fits(shown: str, expected: str) -> bool:
    lines = [re.escape(mask(line)) for line in expected.rstrip("\n").split("\n")]
    pattern = "\n".join(lines).replace("\n" + re.escape("..."), r"(?:\n.*)*")
    masked = "\n".join(mask(line) for line in shown.rstrip("\n").split("\n"))
    return re.fullmatch(pattern, masked) is not None


def mask(line: str) -> str:
    for pattern, replacement in MASKS:
        line = pattern.sub(replacement, line)
    return line.rstrip()


# A server goes on beside what follows, until the script of its document ends.
SERVING = """{command} > served.txt &
trap "kill $!" EXIT
for moment in $(seq 100); do grep -q listening served.txt && break; sleep 0.1; done
grep listening served.txt
"""


def shell_script(body: str, where: str) -> str:
    """What a block adds to the script of its document: nothing when it is about the checkout."""
    if not OF_THE_CHECKOUT.match(body):
        return re.sub(r"^(quark-trace serve [^#\n]*)(#.*)?\n", lambda found: SERVING.format(
            command=found[1].strip()), body, flags=re.MULTILINE)
    for command in re.split(r"\n|&&", body):
        check_command(command.strip(), where)
    return ""


def run_shell(script: str, folder: Path, where: str) -> None:
    done = subprocess.run(["sh", "-eu", "-c", script], cwd=folder, text=True, timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, f"{where}: exit {done.returncode}\n{done.stdout}"


def check_command(command: str, where: str) -> None:
    words = command.split("#")[0].split()
    if words[:1] == ["make"]:
        for target in words[1:]:
            known = subprocess.run(["make", "--no-print-directory", "-n", target], cwd=REPOSITORY,
                                   stdout=subprocess.DEVNULL, check=False)
            assert known.returncode == 0, f"{where}: there is no `make {target}`"
    for word in words:
        if "/" in word and "*" not in word and ":" not in word:
            assert (REPOSITORY / word).exists(), f"{where}: there is no {word}"


def run_python(body: str, folder: Path, where: str, times: int = 1) -> None:
    folder.mkdir()
    subprocess.run([COMMAND, "init", "my-project-001", "--quiet"], cwd=folder, check=True)
    for _ in range(times):
        done = subprocess.run([sys.executable, "-c", body], cwd=folder, text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        assert done.returncode == 0, f"{where}:\n{done.stdout}"


@pytest.mark.parametrize("path", [*DOCUMENTS, *sorted(REPOSITORY.glob("*.md")),
                                  *sorted((REPOSITORY / "spec").glob("*.md"))],
                         ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    anchors = {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
               for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, f"{path.name}: no section {target}"
        elif "://" not in target:
            assert (path.parent / target.split("#")[0]).exists(), f"{path.name}: no {target}"


def test_the_masks_hide_nothing_else():
    assert fits("root 95a678951cfd126a56ea8\nsecond\n", "root 0123456789abcdef\nsecond")
    assert not fits("first\nsecond\n", "first\nthird")
    assert fits("first\nanything\nlast\n", "first\n...\nlast")
    assert not fits("first\n", "first\nmissing")


def test_no_document_is_without_examples_by_accident():
    assert {path.name for path in with_examples()} >= {
        "README.md", "quickstart.md", "command-line.md", "verify-by-hand.md",
        "adopting-0.1.0.md", "durability.md", "sql.md",
    }
    assert shutil.which("openssl"), "docs/verify-by-hand.md needs openssl"
