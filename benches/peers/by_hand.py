"""The loop that a careful engineer writes by hand: a line of JSON, perhaps a chain of hashes."""

import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import measure
import orjson
from events import FEW_EXAMPLES, PROJECT, RARE_STAGE, few_examples, rare_events

Encode = Callable[[dict], bytes]


def record(stage: str, payload: dict) -> dict:
    return {"record_id": str(uuid4()), "project_id": PROJECT, "stage": stage,
            "timestamp": datetime.now(UTC).isoformat(), "payload": payload}


def json_bytes(value: dict) -> bytes:
    return json.dumps(value).encode()


def append(encode: Encode, folder: Path, count: int, after: Callable[[int], None]) -> float:
    """Writes each line with a system call of its own, as 0.1.0 and ours do."""
    with (folder / "by-hand.jsonl").open("ab", buffering=0) as log:
        def line(stage: str, payload: dict) -> None:
            log.write(encode(record(stage, payload)) + b"\n")
            after(log.fileno())
        return measure.timed_appends(line, count)


def append_chained(count: int, folder: Path) -> float:
    """Every line carries the SHA-256 of the line before it."""
    with (folder / "by-hand.jsonl").open("ab", buffering=0) as log:
        previous = hashlib.sha256().hexdigest()

        def line(stage: str, payload: dict) -> None:
            nonlocal previous
            written = orjson.dumps(record(stage, payload) | {"previous": previous})
            previous = hashlib.sha256(written).hexdigest()
            log.write(written + b"\n")
        return measure.timed_appends(line, count)


def nothing(descriptor: int) -> None:
    pass


def decoded(folder: Path) -> list[dict]:
    with (folder / f"{PROJECT}_trace_log.jsonl").open("rb") as log:
        return [orjson.loads(line) for line in log]


def history(count: int, folder: Path) -> float:
    return measure.timed(lambda: measure.expect(len(decoded(folder)), count))


def select(count: int, folder: Path) -> float:
    def rare() -> None:
        hits = [r for r in decoded(folder) if r["stage"] == RARE_STAGE]
        measure.expect(len(hits), rare_events(count))
    return measure.timed(rare)


def filtered(count: int, folder: Path) -> float:
    def few() -> None:
        hits = [r for r in decoded(folder) if r["payload"]["num_examples"] < FEW_EXAMPLES]
        measure.expect(len(hits), few_examples(count))
    return measure.timed(few)


if __name__ == "__main__":
    measure.main({
        "append_orjson": lambda count, folder: append(orjson.dumps, folder, count, nothing),
        "append_json": lambda count, folder: append(json_bytes, folder, count, nothing),
        "append_json_sync": lambda count, folder: append(json_bytes, folder, count, os.fdatasync),
        "append_orjson_chain": append_chained,
        "payloads": history,
        "select": select,
        "filter": filtered,
    })
