"""jq over the same JSONL file, as somebody at a terminal would ask it."""

import json
import subprocess
from pathlib import Path

import measure
from events import FEW_EXAMPLES, PROJECT, RARE_STAGE, few_examples, rare_events


def found(folder: Path, condition: str) -> int:
    log = folder / f"{PROJECT}_trace_log.jsonl"
    done = subprocess.run(["jq", "-c", f"select({condition})", log], stdout=subprocess.PIPE,
                          check=True)
    return done.stdout.count(b"\n")


def select(count: int, folder: Path) -> float:
    condition = f".stage == {json.dumps(RARE_STAGE)}"
    return measure.timed(lambda: measure.expect(found(folder, condition), rare_events(count)))


def filtered(count: int, folder: Path) -> float:
    condition = f".payload.num_examples < {FEW_EXAMPLES}"
    return measure.timed(lambda: measure.expect(found(folder, condition), few_examples(count)))


if __name__ == "__main__":
    measure.main({"select": select, "filter": filtered})
