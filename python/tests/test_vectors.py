"""The format from a second side: `spec/verify.py`, which shares no code with the package.

It must reach the published vectors, and the same verdict as the package on logs that were changed in every way.
"""

import base64
import importlib.util
import json
import random
import shutil
from pathlib import Path

import pytest

from quark_trace import JsonBackend, Project, TraceLog, _core

REPOSITORY = Path(__file__).resolve().parents[2]
VECTORS = json.loads((REPOSITORY / "spec/vectors/ledger-v1.json").read_text(encoding="utf-8"))
MUTATIONS = 150
P = "demo"


def load_verifier():
    spec = importlib.util.spec_from_file_location("verify", REPOSITORY / "spec/verify.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


second = load_verifier()


def test_the_second_verifier_stays_small():
    lines = (REPOSITORY / "spec/verify.py").read_text(encoding="utf-8").splitlines()
    assert sum(1 for line in lines if line.strip()) <= 400


def test_objects_leaves_and_roots():
    tree = second.Tree()
    lines = [VECTORS["header_object"], *VECTORS["record_lines"]]
    for at, (line, entry) in enumerate(zip(lines, VECTORS["entries"], strict=True)):
        digest = second.sha256(line.encode()).hex()
        assert digest == VECTORS["objects_sha256"][at]
        assert f"sha256:{digest}" in entry["line"]
        leaf = second.leaf_hash(entry["line"].encode())
        assert leaf.hex() == entry["leaf_hash"]
        tree.append(leaf)
        assert tree.root().hex() == VECTORS["roots"][at]["hex"]


def test_key_checkpoint_and_proof():
    name, key_id, key = second.read_key(VECTORS["vkey"])
    origin, size, root, text, signatures = second.read_checkpoint(VECTORS["checkpoint"])
    assert (origin, size, root) == (name, 4, bytes.fromhex(VECTORS["roots"][3]["hex"]))
    assert signatures[0][:2] == (name, key_id)
    assert second.signature_fits(key, text.encode(), signatures[0][2])
    assert not second.signature_fits(key, text.encode() + b"\n", signatures[0][2])
    head, index, *hashes = VECTORS["proof_of_entry_2"].split("\n\n")[0].split("\n")
    assert (head, index) == ("c2sp.org/tlog-proof@v1", "index 2")
    leaf = bytes.fromhex(VECTORS["entries"][2]["leaf_hash"])
    path = [base64.b64decode(line) for line in hashes]
    assert second.root_from_path(leaf, 2, 4, path) == root


def test_ed25519_is_that_of_rfc_8032_and_strict():
    key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
        "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    assert second.signature_fits(key, b"", signature)
    assert not second.signature_fits(key, b"x", signature)
    s = int.from_bytes(signature[32:], "little") + second.ORDER
    assert not second.signature_fits(key, b"", signature[:32] + s.to_bytes(32, "little"))
    small_order = (1).to_bytes(32, "little")
    assert not second.signature_fits(small_order, b"", small_order + bytes(32))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A sealed log with two versions of the sheet, and the checkpoint it had half-way."""
    base = tmp_path_factory.mktemp("log")
    sheet = base / "sheet.yaml"
    sheet.write_text(_core.sheet_template(P), encoding="utf-8")
    folder = base / "data"
    with Project.open(sheet, JsonBackend(folder, keys=base / "keys")) as project:
        for number in range(6):
            project.log("client_round", round=number, loss=1 / (number + 1), site="Köln")
        project.flush()
        shutil.copy(folder / f"{P}.qtlog/checkpoint", base / "half-way")
        project.amend({"domain": "Insurance"}, amended_by="Jane Doe", reason="moved")
        for number in range(6):
            project.log("evaluation", round=number)
    return base


@pytest.fixture(scope="module")
def adopted(tmp_path_factory):
    """A folder of 0.1.0 without a sheet, adopted, with records of ours behind."""
    base = tmp_path_factory.mktemp("adopted")
    folder = base / "data"
    folder.mkdir()
    lines = VECTORS["record_lines"]
    (folder / f"{P}_trace_log.jsonl").write_bytes(
        f"{lines[0]}\r\n\n{lines[1]}\n".encode() + b"not json \xff\n")
    log = TraceLog(P, JsonBackend(folder, keys=base / "keys"))
    for number in range(4):
        log.log("client_round", round=number)
    log.backend.flush()
    shutil.copy(folder / f"{P}.qtlog/checkpoint", base / "half-way")
    log.log("evaluation", payload={"text": "\u2028 Köln"})
    log.backend.close()
    return base


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    """A log whose records are held to schemas, and some of which break those of their time."""
    base = tmp_path_factory.mktemp("held")
    log = TraceLog(P, JsonBackend(base / "data", keys=base / "keys"))
    project = Project(None, log)
    log.log("client_round", round="one")
    project.stages.use("client_round")
    for number in range(4):
        log.log("client_round", round=number if number % 2 else "one")
    log.backend.flush()
    shutil.copy(base / f"data/{P}.qtlog/checkpoint", base / "half-way")
    project.stages.use("*", mode="strict")
    log.log("evaluation", round=1)
    log.backend.close()
    return base


def verdicts(base, folder, *, level=1, checkpoint=None):
    """What both say of the log in `folder`."""
    known = checkpoint and checkpoint.decode()
    project = Project(None, _tracer(base, folder))
    try:
        ours = project.verify(f"L{level}", checkpoint=known)
    finally:
        project.close()
    return ours, second.verify(folder, P, level, checkpoint=checkpoint)


def _tracer(base, folder):
    return TraceLog(P, JsonBackend(folder, keys=base / "keys"))


def compared(verdict):
    names = ("exit_code", "size", "root", "records", "adopted", "unknown_kinds")
    more = ("level", "sealed") if verdict["exit_code"] != 1 else ()
    return {name: verdict[name] for name in (*names, *more)}


def test_both_verify_the_log_as_it_was_written(original):
    ours, other = verdicts(original, original / "data", level=2)
    assert compared(ours) == compared(other)
    assert (other["exit_code"], other["level"], other["size"]) == (0, "L2", 15)


def test_both_verify_an_adopted_log(adopted):
    ours, other = verdicts(adopted, adopted / "data", level=2)
    assert compared(ours) == compared(other)
    assert (other["exit_code"], other["adopted"], other["records"]) == (0, 3, 8)


def test_both_verify_a_log_with_schemas(held):
    ours, other = verdicts(held, held / "data", level=2)
    assert compared(ours) == compared(other)
    assert (other["exit_code"], other["size"], other["records"]) == (0, 9, 6)
    said = [finding["code"] for finding in ours["findings"]]
    assert said.count("W-SCHEMA") == 1, "which the second verifier leaves out"


def test_both_ask_for_the_level(original):
    ours, other = verdicts(original, original / "data", level=3)
    assert ours["exit_code"] == other["exit_code"] == 2


def test_both_hold_the_log_against_an_earlier_checkpoint(original):
    known = (original / "half-way").read_bytes()
    ours, other = verdicts(original, original / "data", checkpoint=known)
    assert ours["exit_code"] == other["exit_code"] == 0


def mutate(folder, dice):
    """Changes one thing in a folder; says what."""
    log = folder / f"{P}.qtlog"
    objects = sorted(path for path in (log / "objects").rglob("*") if path.is_file())
    ledger, records = log / "ledger", folder / f"{P}_trace_log.jsonl"
    files = [ledger, records, log / "checkpoint", log / "log.vkey"]
    files += folder.glob(f"{P}_fact_sheet.json")
    how = dice.choice(["flip", "flip", "cut", "drop", "swap", "twice", "insert", "remove", "crlf"])
    # The change before may have removed or emptied one.
    left = [path for path in (*files, ledger, records, *objects)
            if path.exists() and path.stat().st_size]
    path = dice.choice(left)
    data = path.read_bytes()
    if how in ("drop", "swap", "twice", "insert", "crlf"):
        path = dice.choice([path for path in (ledger, records) if path in left])
        lines = path.read_bytes().splitlines(keepends=True)
        at = dice.randrange(len(lines))
        if how == "drop":
            del lines[at]
        elif how == "swap":
            other = dice.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        elif how == "twice":
            lines.insert(dice.randrange(len(lines) + 1), lines[at])
        elif how == "insert":
            new = dice.choice([b"\n", b"  \n", b'{"record_id": "x"}\n', b"future sha256:" + b"0" * 64])
            lines.insert(at, new)
        else:
            lines[at] = lines[at].rstrip(b"\n") + dice.choice([b"\r\n", b"\r", b"\n\n"])
        path.write_bytes(b"".join(lines))
    elif how == "flip":
        at = dice.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1:])
    elif how == "cut":
        path.write_bytes(data[: dice.randrange(len(data))])
    elif path not in (ledger, records):
        path.unlink()
    return f"{how} {path.name}"


@pytest.mark.parametrize("kind", ["original", "adopted", "held"])
def test_both_agree_on_changed_logs(kind, request, tmp_path):
    original = request.getfixturevalue(kind)
    dice = random.Random(f"{kind} 20260102")
    seen = {0: 0, 1: 0, 2: 0}
    known = (original / "half-way").read_bytes()
    for number in range(MUTATIONS):
        folder = tmp_path / str(number)
        shutil.copytree(original / "data", folder)
        done = [mutate(folder, dice) for _ in range(dice.choice([1, 1, 2]))]
        checkpoint = dice.choice([None, known])
        ours, other = verdicts(original, folder, checkpoint=checkpoint)
        assert compared(ours) == compared(other), (number, done, ours["findings"], other["findings"])
        seen[ours["exit_code"]] += 1
        shutil.rmtree(folder)
    # The comparison says something only if both outcomes occur.
    assert seen[0] > 3 and seen[1] > MUTATIONS // 2, seen
