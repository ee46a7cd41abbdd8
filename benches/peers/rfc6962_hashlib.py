"""The whole ledger checked with nothing but hashlib: a second verifier, and the time to beat.

Every record is hashed and held against its ledger entry, and the RFC 6962 root of the entries
against the checkpoint. The signature is left out: it costs the same whatever the size.
"""

import base64
import hashlib
from pathlib import Path

import measure
from events import PROJECT


def verify(count: int, folder: Path) -> float:
    return measure.timed(lambda: check(count, folder))


def check(count: int, folder: Path) -> None:
    ledger_folder = folder / f"{PROJECT}.qtlog"
    _, size, root, *_ = (ledger_folder / "checkpoint").read_text("utf-8").split("\n")
    subtrees: list[bytes] = []
    entries = records = 0
    with (folder / f"{PROJECT}_trace_log.jsonl").open("rb") as log, \
            (ledger_folder / "ledger").open("rb") as ledger:
        for line in ledger:
            entry = line[:-1]
            kind, named = entry.split(b" ")[:2]
            if kind.startswith(b"record"):
                found = hashlib.sha256(log.readline()[:-1]).hexdigest().encode()
                if named != b"sha256:" + found:
                    measure.expect(found, named)
                records += 1
            entries += 1
            push(subtrees, hashlib.sha256(b"\0" + entry).digest(), entries)
    measure.expect((records, entries), (count, int(size)))
    measure.expect(base64.b64encode(root_of(subtrees)).decode(), root)


def push(subtrees: list[bytes], node: bytes, entries: int) -> None:
    """Adds a leaf to the roots of the complete subtrees, largest first."""
    while entries % 2 == 0:
        node = hashlib.sha256(b"\1" + subtrees.pop() + node).digest()
        entries //= 2
    subtrees.append(node)


def root_of(subtrees: list[bytes]) -> bytes:
    node = subtrees[-1]
    for left in reversed(subtrees[:-1]):
        node = hashlib.sha256(b"\1" + left + node).digest()
    return node


if __name__ == "__main__":
    measure.main({"verify": verify})
