#!/usr/bin/env python3
"""A second verifier for logs in a folder, written from the documents beside it.

    python3 spec/verify.py FOLDER PROJECT [--level L2] [--key VKEY] [--checkpoint FILE]

It looks at what a log proves, not at what records say: `schema` entries are verified like all others, but no
record is checked with them (no W-SCHEMA). It shares no code with Quark Trace and needs Python 3.9 or newer, nothing else. It prints its verdict as one
JSON object and ends with 0 (verified), 1 (tampered), 2 (incomplete or unknown) or 3 (not understood).
"""

import argparse
import base64
import binascii
import hashlib
import json
import re
import sys
from pathlib import Path
from urllib.parse import unquote

ENTRY = re.compile(rb"([a-z0-9-]+) sha256:([0-9a-f]{64})((?: [a-z]+=[\x21-\x7e]+)*)")
RECORD_KINDS = {b"record", b"record-adopted"}
SHEET_KINDS = {b"sheet", b"sheet-adopted"}
KINDS = RECORD_KINDS | SHEET_KINDS | {b"log", b"schema", b"key", b"erased", b"head"}
CONTENT = ("purpose", "domain", "ml_type", "algorithm", "input", "output", "performance_metrics",
           "bias", "stakeholders")
DEFAULTS = {"version": 1, "amendment_log": [], "algorithm": [], "input": [], "output": [],
            "performance_metrics": [], "bias": {}, "stakeholders": []}
COUNTED = ("sheet_id", "version", "amended_at", "amendment_log")


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# --- The tree: RFC 6962, section 2.1 -------------------------------------------------------------


def leaf_hash(entry: bytes) -> bytes:
    return sha256(b"\x00" + entry)


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right)


class Tree:
    """The right-hand edge of a tree: (height, hash) of each full subtree, the largest first."""

    def __init__(self):
        self.size, self.edge = 0, []

    def append(self, leaf: bytes) -> None:
        height = 0
        while self.edge and self.edge[-1][0] == height:
            leaf = node_hash(self.edge.pop()[1], leaf)
            height += 1
        self.edge.append((height, leaf))
        self.size += 1

    def root(self) -> bytes:
        if not self.edge:
            return sha256(b"")
        root = self.edge[-1][1]
        for _, left in reversed(self.edge[:-1]):
            root = node_hash(left, root)
        return root


def root_from_path(leaf: bytes, index: int, size: int, path: list) -> bytes:
    """The root that an audit path leads to (RFC 9162, section 2.1.3.2)."""
    if index >= size:
        raise ValueError("the entry is not in the tree")
    last = size - 1
    for sibling in path:
        if last == 0:
            raise ValueError("too many hashes")
        if index & 1 or index == last:
            leaf = node_hash(sibling, leaf)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            leaf = node_hash(leaf, sibling)
        index, last = index >> 1, last >> 1
    if last:
        raise ValueError("too few hashes")
    return leaf


# --- Ed25519: RFC 8032, strict -------------------------------------------------------------------

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def add(a, b):
    """Adds points in extended coordinates."""
    x = (a[1] - a[0]) * (b[1] - b[0]) % P
    y = (a[1] + a[0]) * (b[1] + b[0]) % P
    t, z = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = y - x, z - t, z + t, y + x
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(scalar: int, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point, scalar = add(point, point), scalar >> 1
    return result


def equal(a, b) -> bool:
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 == (a[1] * b[2] - b[1] * a[2]) % P


def decompress(data: bytes):
    """The point that 32 bytes encode, or None."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P or x == 0 and sign:
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


BASE = decompress(bytes.fromhex("58" + "66" * 31))
NOTHING = (0, 1, 1, 0)


def is_strong(point) -> bool:
    return point is not None and not equal(multiply(8, point), NOTHING)


def signature_fits(key: bytes, message: bytes, signature: bytes) -> bool:
    if len(signature) != 64:
        return False
    a, r = decompress(key), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER or not is_strong(a) or not is_strong(r):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    return equal(multiply(s, BASE), add(r, multiply(k, a)))


# --- Notes, keys, checkpoints: C2SP --------------------------------------------------------------


def unbase64(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 that is not canonical")
    return data


def read_key(line: str):
    """Name, id and public key of a verifier key."""
    name, key_id, encoded = line.split("+", 2)
    data = unbase64(encoded)
    if not is_name(name) or len(data) != 33 or data[0] != 1 or not is_strong(decompress(data[1:])):
        raise ValueError("not an Ed25519 verifier key")
    if sha256(name.encode() + b"\n" + data)[:4].hex() != key_id:
        raise ValueError("the hash of the verifier key does not belong to it")
    return name, bytes.fromhex(key_id), data[1:]


def is_name(name: str) -> bool:
    return name != "" and "+" not in name and not any(c.isspace() or ord(c) < 33 or
                                                      0x7F <= ord(c) < 0xA0 for c in name)


def read_checkpoint(note: str):
    """Origin, size, root, signed text and the signatures as (name, id, signature)."""
    if any(ord(c) < 32 and c != "\n" for c in note):
        raise ValueError("a control character")
    text, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise ValueError("no signatures")
    signatures = []
    for line in lines[:-1].split("\n"):
        dash, name, blob = line.split(" ")
        blob = unbase64(blob)
        if dash != "\u2014" or not is_name(name) or len(blob) < 4:
            raise ValueError("a malformed signature line")
        signatures.append((name, blob[:4], blob[4:]))
    origin, size, root = text.split("\n")
    root = unbase64(root)
    if not re.fullmatch("[1-9][0-9]*", size, re.ASCII) or len(root) != 32 or int(size) >= 2**64:
        raise ValueError("not a checkpoint")
    if not is_name(origin) or len(origin.encode()) > 255:
        raise ValueError("not an origin")
    return origin, int(size), root, text + "\n", signatures


# --- The folder ----------------------------------------------------------------------------------


def file_name(project: str) -> str:
    """The project id as a file name: what Windows cannot have is written %XX."""
    return re.sub(r'[<>:"|?*%]|[. ]\Z', lambda found: f"%{ord(found[0]):02X}", project)


def split_lines(data: bytes):
    """Record lines as (bytes, whole): ended by LF, CR LF or CR, blank ones left out."""
    for found in re.finditer(rb"([^\r\n]*)(\r\n|\r|\n|\Z)", data):
        line, whole = found[1], found[2] != b""
        if not line and not whole:
            return
        try:
            blank = not line.decode().strip()
        except UnicodeDecodeError:
            blank = False
        if not (blank and whole):
            yield line, whole


def read_if_there(path: Path):
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


class Verifier:
    """Collects what is found about one log."""

    def __init__(self, folder: Path, project: str, keys, checkpoint):
        name = file_name(project)
        bare = file_name(unquote(project)) != project
        if name != project and bare and any((folder / f"{project}{end}").exists()
                                   for end in ("_trace_log.jsonl", "_fact_sheet.json")):
            name = project
        self.project, self.log = project, folder / f"{name}.qtlog"
        self.records = read_if_there(folder / f"{name}_trace_log.jsonl")
        self.shown_sheet = read_if_there(folder / f"{name}_fact_sheet.json")
        self.ledger = read_if_there(self.log / "ledger")
        self.given_keys, self.given_checkpoint = keys, checkpoint
        self.found, self.used, self.known = [], set(), {}
        self.counts = {"records": 0, "adopted": 0, "unknown_kinds": 0, "not_in_ledger": 0}
        self.sheet, self.versions = None, []

    def find(self, code: str, message: str, index=None, severity="error") -> None:
        self.found.append({"code": code, "severity": severity, "index": index, "message": message})

    def run(self, level: int) -> dict:
        keys = self.read_keys()
        sealed = self.open_note(read_if_there(self.log / "checkpoint"), keys, "E-ROOT")
        self.open_note(self.given_checkpoint, keys, "E-FORK")
        entries = (self.ledger or b"").split(b"\n")
        if entries.pop():
            self.find("W-UNSEALED", "the ledger's last line is not whole", severity="warning")
        tree = self.walk(entries)
        self.check_ends(tree.size)
        self.check_shown(tree.size, sealed or 0)
        return self.conclude(tree, sealed, level)

    def check_shown(self, size: int, sealed: int) -> None:
        """The sheet that people see is the ledger's last."""
        shown = None if self.shown_sheet is None else sha256(self.shown_sheet)
        last = self.versions[-1][1] if self.versions else None
        if self.ledger is None or shown == last:
            return
        before = self.versions[-2][1] if len(self.versions) > 1 else None
        if self.versions and shown == before and sealed <= self.versions[-1][0] == size - 1:
            self.find("E-SHEET", "the last sheet is not shown, but the one before",
                      severity="unknown")
        else:
            self.find("E-SHEET", "the sheet that is shown is not the ledger's last")

    def read_keys(self) -> dict:
        beside = (read_if_there(self.log / "log.vkey") or b"").decode(errors="replace")
        keys = {}
        for line in beside.splitlines():
            try:
                name, key_id, key = read_key(line)
            except ValueError as error:
                self.find("E-KEY", f"a key beside the log: {error}")
                continue
            if not self.given_keys:
                keys.setdefault(name, (key_id, key))
        for name, key_id, key in self.given_keys:
            keys.setdefault(name, (key_id, key))
        return keys

    def open_note(self, note, keys: dict, code: str):
        """Takes note of the root a checkpoint signs, and checks the signature."""
        if note is None:
            if code == "E-ROOT" and keys:
                self.find("E-SIG", "there is a key and no checkpoint", severity="unknown")
            return None
        try:
            origin, size, root, text, signatures = read_checkpoint(note.decode(errors="replace"))
        except (ValueError, binascii.Error) as error:
            self.find("E-SIG", f"not a checkpoint: {error}")
            return None
        self.known.setdefault(size, []).append((code, root))
        if origin not in keys:
            self.find("E-KEY", "no key for the checkpoint",
                      severity="error" if self.given_keys else "unknown")
            return size
        key_id, key = keys[origin]
        ours = [blob for name, sig_id, blob in signatures if (name, sig_id) == (origin, key_id)]
        if ours and signature_fits(key, text.encode(), ours[0]):
            self.used.add(origin)
        else:
            self.find("E-SIG", "the checkpoint is not signed by the key")
        return size

    def walk(self, entries: list) -> Tree:
        """Goes through the ledger with the record lines beside it."""
        tree, lines = Tree(), list(split_lines(self.records or b""))
        digests = [sha256(line) for line, _ in lines]
        named, place = set(), 0
        for index, line in enumerate(entries):
            tree.append(leaf_hash(line))
            for code, root in self.known.get(tree.size, []):
                if root != tree.root():
                    self.find(code, f"entries 0 to {index} do not have the root that was signed")
            entry = ENTRY.fullmatch(line) if len(line) <= 1024 else None
            if not entry:
                self.find("E-ALTERED", "not an entry", index)
                continue
            kind, digest = entry[1], bytes.fromhex(entry[2].decode())
            if (kind == b"log") != (index == 0):
                self.find("E-ORDER", "the header is entry 0 and stands there alone", index)
            if b" sig=" in entry[3]:
                self.find("E-KEY", "the node key is not known", index, "unknown")
            if kind not in RECORD_KINDS:
                self.check_object(kind, digest, index)
                continue
            self.counts["records"] += 1
            self.counts["adopted"] += kind == b"record-adopted"
            named.add(digest)
            if place < len(lines) and digests[place] == digest:
                if not lines[place][1]:
                    self.find("E-TRUNC", "the end of its line was cut off", index)
                place += 1
            elif digest in digests[place:]:
                self.find("E-ORDER", "other lines stand before its record", index)
                place = digests.index(digest, place) + 1
            else:
                self.find("E-ALTERED", "its record was changed or is not there", index)
                # The next entry finds its own line, so that one change is one finding.
                place += place < len(lines)
        self.check_rest(lines[place:], digests[place:], named)
        return tree

    def check_rest(self, lines: list, digests: list, named: set) -> None:
        """Lines behind the last entry."""
        for (_, whole), digest in zip(lines, digests):
            if not whole:
                self.find("W-UNSEALED", "the last record line is not whole", severity="warning")
            elif digest in named:
                self.find("E-ORDER", "a line repeats the record of an entry")
            else:
                self.counts["not_in_ledger"] += 1
                self.find("W-UNSEALED", "a record line without an entry", severity="warning")

    def check_object(self, kind: bytes, digest: bytes, index: int) -> None:
        name = digest.hex()
        data = read_if_there(self.log / "objects" / name[:2] / name[2:])
        if kind in SHEET_KINDS:
            self.versions.append((index, digest))
        if kind not in KINDS:
            self.counts["unknown_kinds"] += 1
        if data is None:
            if kind in KINDS:
                self.find("E-MISSING", "its object is not there", index)
        elif sha256(data) != digest:
            self.find("E-ALTERED", "its object was changed", index)
        elif kind == b"log":
            header = {"format": "quark-trace-log/1", "project_id": self.project}
            if data != json.dumps(header).encode():
                self.find("E-ALTERED", "the header of another project", index)
        elif kind in SHEET_KINDS:
            try:
                self.check_sheet(kind, json.loads(data))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                self.find("E-SHEET", str(error), index)

    def check_sheet(self, kind: bytes, sheet: dict) -> None:
        old, self.sheet = self.sheet, {**DEFAULTS, **sheet}
        if sheet["project_id"] != self.project:
            raise ValueError("the sheet of another project")
        if old is None or kind == b"sheet-adopted":
            return
        if sheet["version"] != old["version"] + 1:
            raise ValueError("the version is not the next one")
        names = {*old, *sheet} - {*COUNTED}
        changed = {name for name in names if old.get(name) != sheet.get(name)}
        log = sheet["amendment_log"]
        if changed - {*CONTENT}:
            raise ValueError("a field changed that can never be changed")
        if log[:-1] != old["amendment_log"] or len(log) != len(old["amendment_log"]) + 1:
            raise ValueError("the amendment log does not extend the one before")
        last = log[-1]
        if last["version"] != sheet["version"] or {*last["fields_changed"]} != changed:
            raise ValueError("the amendment log does not say what was changed")
        if not all(last[key].strip() for key in ("amended_at", "amended_by", "reason")):
            raise ValueError("the amendment has no time, actor or reason")

    def check_ends(self, size: int) -> None:
        for covered in self.known:
            if covered > size:
                self.find("E-TRUNC", f"a checkpoint covers {covered} entries, there are {size}")

    def conclude(self, tree: Tree, sealed, asked: int) -> dict:
        errors = {found["code"] for found in self.found if found["severity"] == "error"}
        unknown = any(found["severity"] == "unknown" for found in self.found)
        level = 1 if tree.size else 0
        if tree.size and sealed and self.used and not errors & {"E-SIG", "E-KEY"}:
            level = 2
        exit_code = 1 if errors else 2 if unknown or level < asked else 0
        return {"project_id": self.project, "verdict": ("verified", "tampered", "incomplete")[exit_code],
                "exit_code": exit_code, "level": f"L{level}", "size": tree.size,
                "root": tree.root().hex() if tree.size else None,
                "sealed": min(sealed, tree.size) if level == 2 else 0, **self.counts,
                "findings": self.found}


def verify(folder, project: str, level: int = 1, keys=(), checkpoint=None) -> dict:
    """The verdict over a project's log; `keys` are verifier keys, `checkpoint` the bytes of a note."""
    return Verifier(Path(folder), project, [read_key(key) for key in keys], checkpoint).run(level)


def main() -> int:
    parser = argparse.ArgumentParser(description="Verifies a log of Quark Trace in a folder.")
    parser.add_argument("folder")
    parser.add_argument("project")
    parser.add_argument("--level", default="L1", choices=["L0", "L1", "L2", "L3", "L4"])
    parser.add_argument("--key", action="append", default=[], help="a verifier key known from elsewhere")
    parser.add_argument("--checkpoint", help="a file with a checkpoint known from elsewhere")
    parser.error = lambda message: (print(message, file=sys.stderr), sys.exit(3))
    arguments = parser.parse_args()
    folder = Path(arguments.folder)
    if not any(folder.glob(f"{file_name(arguments.project)}*")):
        print(f"there is no project {arguments.project!r} in {folder}", file=sys.stderr)
        return 3
    note = Path(arguments.checkpoint).read_bytes() if arguments.checkpoint else None
    try:
        verdict = verify(folder, arguments.project, int(arguments.level[1]), arguments.key, note)
    except ValueError as error:
        print(f"the key: {error}", file=sys.stderr)
        return 3
    print(json.dumps(verdict, indent=2))
    return verdict["exit_code"]


if __name__ == "__main__":
    sys.exit(main())
