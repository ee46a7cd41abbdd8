"""The same program under quark-trace 0.1.0 and under this version, line by line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compat.mended import MENDED

SCENARIO = Path(__file__).with_name("scenario.py")


def observations(interpreter: str) -> dict[str, tuple[str, frozenset[str]]]:
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("QUARK_TRACE_", "PYTHON"))}
    ran = subprocess.run([interpreter, "-B", SCENARIO], capture_output=True, text=True,
                         env=environment, encoding="utf-8", timeout=120)
    assert ran.returncode == 0, ran.stderr
    lines = [line.split("\t") for line in ran.stdout.splitlines()]
    return {name: (seen, frozenset(filter(None, classes.split(","))))
            for name, seen, classes in lines}


@pytest.fixture(scope="module")
def both(seed_python: str):
    return observations(seed_python), observations(sys.executable)


@pytest.fixture(scope="module")
def differing(both) -> set[str]:
    original, ours = both
    return {name for name in original if original[name][0] != ours[name][0]}


def test_both_versions_observe_the_same_things(both) -> None:
    original, ours = both
    assert list(original) == list(ours)
    assert len(original) > 600


def test_every_difference_is_known_and_every_known_difference_is_there(both, differing) -> None:
    listed = [name for entry in MENDED for name in entry.names]
    assert len(listed) == len(set(listed)), "a name is listed twice"
    original, ours = both
    unknown = [f"{name}\n  0.1.0: {original[name][0]}\n  here:  {ours[name][0]}"
               for name in original if name in differing and name not in listed]
    assert not unknown, "\n".join(unknown)
    assert set(listed) - differing == set(), "entries that are no difference any more"


def test_what_caught_an_error_of_the_original_still_does(both) -> None:
    original, ours = both
    allowed = {name: entry.lost for entry in MENDED for name in entry.names}
    for name, (_, classes) in original.items():
        lost = classes - ours[name][1]
        assert lost == allowed.get(name, frozenset()), (name, ours[name])


def test_the_table_of_differences(differing, capsys) -> None:
    with capsys.disabled():
        print("\n\nDifferences from 0.1.0, all of them meant:")
        for entry in MENDED:
            more = f" and {len(entry.names) - 1} more" if len(entry.names) > 1 else ""
            print(f"  {entry.row:4} {entry.reason} ({entry.names[0]}{more})")
    assert differing
