"""What this machine itself takes: the floor under every durable figure."""

import os
from pathlib import Path

import measure

LINE = b"x" * 274 + b"\n"


def fdatasync(count: int, folder: Path) -> float:
    with (folder / "floor").open("ab", buffering=0) as file:
        def one() -> None:
            for _ in range(count):
                file.write(LINE)
                os.fdatasync(file.fileno())
        return measure.timed(one)


if __name__ == "__main__":
    measure.main({"fdatasync": fdatasync})
