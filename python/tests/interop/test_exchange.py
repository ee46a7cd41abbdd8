"""This version writes and 0.1.0 reads; 0.1.0 appends while this version has the log open."""

import json
import subprocess
from decimal import Decimal
from pathlib import Path

from quark_trace import JsonBackend, Project

READ = """
import json, sys
from quark_trace import JsonBackend, Project
backend = JsonBackend(sys.argv[1])
project = Project.resume("demo", backend)
print(json.dumps([record.to_json() for record in project.history()]))
print(json.dumps(project.fact_sheet.to_json()))
print(json.dumps(project.summary()))
"""
APPEND = """
import sys
from quark_trace import JsonBackend, Project
project = Project.resume("demo", JsonBackend(sys.argv[1]))
for number in range(int(sys.argv[2])):
    print(project.log("by the original", number=number).record_id)
"""


def original(seed_python: str, program: str, *arguments: object) -> list[str]:
    command = [seed_python, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True,
                          timeout=60).stdout.splitlines()


def test_the_original_reads_what_this_version_wrote(
    seed_python: str, project: Project, tmp_path: Path
) -> None:
    project.log("numbers", large=2**64 + 1, small=-0.0, tiny=5e-324, one=1.0, ten=Decimal("1.5"))
    project.log("texts", text="é \u2028 \x00 \U0001f600", path=Path("a/b"), **{"": 1, "a b": 2})
    project.log("surrogate", file="caf\udce9.csv")
    project.log("nested", deep=nested(100), none=None, flag=True, empty=[{}, []])
    project.close()
    records, sheet, summary = map(json.loads, original(seed_python, READ, tmp_path / "data"))
    assert records == [record.to_json() for record in project.history()]
    assert sheet == project.fact_sheet.to_json()
    assert summary == project.summary()


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


def test_tagged_numbers_reach_the_original_as_what_they_are_in_the_file(
    seed_python: str, project: Project, tmp_path: Path
) -> None:
    project.log("diverged", loss=float("nan"), up=float("inf"), down=float("-inf"))
    project.close()
    records = json.loads(original(seed_python, READ, tmp_path / "data")[0])
    assert records[0]["payload"] == {"loss": {"$numberDouble": "NaN"},
                                     "up": {"$numberDouble": "Infinity"},
                                     "down": {"$numberDouble": "-Infinity"}}


def test_the_original_resumes_an_amended_sheet(
    seed_python: str, project: Project, tmp_path: Path
) -> None:
    project.amend({"purpose": "find more fraud"}, amended_by="Jane", reason="scope")
    project.close()
    _, sheet, summary = map(json.loads, original(seed_python, READ, tmp_path / "data"))
    assert (sheet["version"], sheet["purpose"]) == (2, "find more fraud")
    assert len(sheet["amendment_log"]) == 1
    assert summary["fact_sheet_version"] == 2


def test_what_the_original_appends_to_an_open_log_is_adopted(
    seed_python: str, project: Project, tmp_path: Path
) -> None:
    mine = [project.log("here", number=number).record_id for number in range(3)]
    theirs = original(seed_python, APPEND, tmp_path / "data", 4)
    mine += [project.log("here", number=number).record_id for number in range(3, 6)]
    expected = mine[:3] + theirs + mine[3:]
    assert [record.record_id for record in project.history()] == expected
    verdict = project.verify()
    assert (verdict["exit_code"], verdict["adopted"], verdict["records"]) == (0, 4, 10)


def test_both_append_at_the_same_time(seed_python: str, project: Project, tmp_path: Path) -> None:
    command = [seed_python, "-c", APPEND, str(tmp_path / "data"), "200"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        mine = []
        while running.poll() is None or len(mine) < 200:
            mine.append(project.log("here", number=len(mine)).record_id)
        theirs = running.stdout.read().split()
    project.flush()
    found = [record.record_id for record in project.history()]
    assert sorted(found) == sorted(mine + theirs)
    logged_here = set(mine)
    assert [record_id for record_id in found if record_id in logged_here] == mine
    assert len(theirs) == 200
    verdict = project.verify()
    assert verdict["exit_code"] == 0
    # 0.1.0 takes no lock: a line of ours that met one of its lines is adopted with it.
    assert 200 <= verdict["adopted"] < len(found)
