"""The closing count must never be better than the run was."""

import pytest
from tally import read_tally

NEXTEST = "     Summary [   0.004s] 12 tests run: 11 passed (2 slow), 1 failed, 3 skipped\n"
CARGO = """test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out
test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
"""
PYTEST = """SKIPPED [1] python/tests/test_a.py:7: no such thing
================ 1 failed, 20 passed, 1 skipped in 3.21s ================
"""


@pytest.mark.parametrize(("output", "exit_code", "expected"), [
    (NEXTEST, 100, (11, 1, 3)),
    (CARGO, 101, (7, 1, 1)),
    (PYTEST, 1, (20, 1, 1)),
    ("9 passed in 1.02s\n", 0, (9, 0, 0)),
    ("\x1b[32m3 passed\x1b[0m, \x1b[31m1 error\x1b[0m in 62.10s (0:01:02)\n", 1, (3, 1, 0)),
    ("4 passed, 2 failed, 1 skipped\n", 1, (4, 2, 1)),
    ("nothing counted\n", 0, (1, 0, 0)),
    ("nothing counted\n", 2, (0, 1, 0)),
    ("5 passed in 0.1s\n", 139, (5, 1, 0)),
    ("SKIPPED: power cuts: no mount\n", 0, (0, 0, 1)),
    ("    SKIPPED: power cuts: no mount\n2 passed in 1.00s\n", 0, (1, 0, 1)),
    ("1 test run: 1 passed\nSKIPPED: a: b\nSKIPPED: c: d\n", 1, (0, 1, 2)),
])
def test_counts_are_read_from_every_runner(output, exit_code, expected):
    tally = read_tally(output, exit_code)
    assert (tally.passed, tally.failed, tally.skipped) == expected


def test_an_avoidable_skip_fails_and_a_forbidden_one_does_not():
    tally = read_tally("SKIPPED: cuts: mounting is forbidden by this machine\n"
                       "SKIPPED: strace: not found\n3 passed, 0 failed, 2 skipped\n", 0)
    tally.refuse_avoidable_skips("crash")
    assert (tally.passed, tally.failed, tally.skipped) == (3, 1, 1)
    assert tally.faults == ["crash: skipped where nothing forbids it: strace: not found"]
