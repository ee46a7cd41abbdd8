"""pymerkle: an RFC 9162 tree in memory, without a file."""

import json
from pathlib import Path

import measure
from by_hand import record
from pymerkle import InmemoryTree


def append(count: int, folder: Path) -> float:
    tree = InmemoryTree(algorithm="sha256")
    return measure.timed_appends(
        lambda stage, payload: tree.append_entry(json.dumps(record(stage, payload)).encode()),
        count)


if __name__ == "__main__":
    measure.main({"append": append})
