"""What a test run counted, read from the closing lines of its runner."""

import re
from dataclasses import dataclass, field

FORBIDDEN = "forbidden by this machine"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
SKIP_LINE = re.compile(r"^\s*SKIPPED(?: \[\d+\])?:? +(?P<reason>\S.*)$", re.MULTILINE)
NEXTEST = re.compile(r"^\s*Summary \[.*?\] +\S+ tests? run: (?P<counts>.*)$", re.MULTILINE)
CARGO_TEST = re.compile(r"^test result: \w+\. (?P<counts>.*)$", re.MULTILINE)
PYTEST = re.compile(r"^=* ?(?P<counts>\d+ \w+(?:, \d+ \w+)*) in [\d.:]+s.*$", re.MULTILINE)
PLAIN = re.compile(r"^(?P<counts>\d+ passed, \d+ failed(?:, \d+ skipped)?)$", re.MULTILINE)
COUNT = re.compile(r"(?P<number>\d+) (?P<word>[a-z]+(?: out)?)")
PASSED = {"passed", "xfailed"}
FAILED = {"failed", "error", "errors", "xpassed", "timed out"}
SKIPPED = {"skipped", "ignored"}


@dataclass
class Tally:
    """Numbers of tests, with the reasons for what was skipped and the names of what failed."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    reasons: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.reasons += other.reasons
        self.faults += other.faults

    def refuse_avoidable_skips(self, suite: str) -> None:
        """Turns a skip into a failure, unless nothing could be done about it on this machine."""
        for reason in self.reasons:
            if FORBIDDEN not in reason:
                self.skipped -= 1
                self.failed += 1
                self.faults.append(f"{suite}: skipped where nothing forbids it: {reason}")
        self.reasons = [reason for reason in self.reasons if FORBIDDEN in reason]


def read_tally(output: str, exit_code: int) -> Tally:
    """Counts one command's tests from its output; its exit code has the last word."""
    text = COLOUR.sub("", output)
    tally = Tally(reasons=[match["reason"].strip() for match in SKIP_LINE.finditer(text)])
    lines = [m["counts"] for p in (NEXTEST, CARGO_TEST, PYTEST, PLAIN) for m in p.finditer(text)]
    for counts in lines:
        add_counts(tally, counts)
    said = len(tally.reasons)
    if not lines:
        tally.passed = 1 if exit_code == 0 and not said else 0
    if tally.skipped < said:
        # A test that found out while running that it cannot run has been counted as passed.
        tally.passed = max(0, tally.passed - (said - tally.skipped))
        tally.skipped = said
    if exit_code != 0 and tally.failed == 0:
        tally.failed = 1
    return tally


def add_counts(tally: Tally, counts: str) -> None:
    # "12 passed (1 slow), 1 failed": what stands in brackets is a part of the number before it.
    for match in COUNT.finditer(re.sub(r"\(.*?\)", "", counts)):
        number, word = int(match["number"]), match["word"]
        tally.passed += number if word in PASSED else 0
        tally.failed += number if word in FAILED else 0
        tally.skipped += number if word in SKIPPED else 0
