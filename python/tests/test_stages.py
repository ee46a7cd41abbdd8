"""Stages: schemas in force, kept and refused records, and what the project says of them."""

import math
import multiprocessing
import pickle
from pathlib import Path

import pytest

from quark_trace import (
    InvalidSchemaError,
    JsonBackend,
    Project,
    QuarkLensError,
    SqlBackend,
    StageSchemaError,
    TraceError,
    _core,
    open_backend,
)
from quark_trace.stages import Stages

SHEET = _core.sheet_template("demo")


@pytest.fixture(params=["files", "sqlite"])
def project(request: pytest.FixtureRequest, tmp_path: Path):
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text(SHEET)
    if request.param == "files":
        backend = JsonBackend(tmp_path / "traces")
    else:
        backend = SqlBackend(f"sqlite:{tmp_path / 'trace.db'}")
    with Project.open(sheet, backend) as opened:
        yield opened


def test_without_a_schema_nothing_is_asked(project: Project) -> None:
    assert project.log("client_round", round="one").faults == []
    assert project.stages.in_force() == {}
    assert project.summary(details=True)["schema_faults"] == []


def test_warn_keeps_the_record_and_tells_its_faults(project: Project) -> None:
    entry = project.stages.use("client_round")
    record = project.log("client_round", round="one", loss=math.nan)
    assert record.faults == [
        {"path": "/round", "expected": "a whole number", "came": 'text "one"'}
    ]
    assert project.log("client_round", round=2, loss=math.inf).faults == []
    assert project.log("anything else", round="one").faults == []
    assert [kept.payload["round"] for kept in project.history()] == ["one", 2, "one"]
    assert project.history()[0].faults == []
    assert project.stages.in_force()["client_round"]["mode"] == "warn"
    (found,) = project.stages.faults()
    assert (found["schema"], found["records"], found["stage"]) == (entry, 1, "client_round")
    assert project.summary(details=True)["schema_faults"] == [found]
    codes = [finding["code"] for finding in project.verify()["findings"]]
    assert codes.count("W-SCHEMA") == 1
    assert project.verify()["exit_code"] == 0


def test_strict_refuses_and_writes_nothing(project: Project) -> None:
    project.stages.use("client_round", mode="strict")
    project.flush()
    size = project.verify()["size"]
    for again in range(3):
        with pytest.raises(StageSchemaError) as caught:
            project.log("client_round", loss="low", accuracy=97)
        error = caught.value
        assert isinstance(error, ValueError) and isinstance(error, TraceError)
        assert [fault["path"] for fault in error.faults] == ["/round", "/loss", "/accuracy"] or (
            {fault["path"] for fault in error.faults} == {"/round", "/loss", "/accuracy"}
        )
        assert error.outcome == "not_written" and error.record.stage == "client_round"
        copied = pickle.loads(pickle.dumps(error))
        assert copied.faults == error.faults and str(copied) == str(error)
        if again == 1:
            project.log("client_round", round=1)
    assert project.verify()["size"] == size + 1
    with pytest.raises(StageSchemaError):
        project._tracer.backend.save(error.record)
    assert project.stages.use("client_round", mode="off") == size + 1
    assert project.log("client_round", loss="low").faults == []


def test_schemas_of_ones_own(project: Project) -> None:
    schema = {"properties": {"who": {"type": "string"}}, "required": ["who"]}
    project.stages.use("mine", schema, mode="strict")
    with pytest.raises(StageSchemaError, match="/who"):
        project.log("mine")
    project.stages.use("mine", '{"x-quark-mode": "warn", "required": ["why"]}')
    assert project.log("mine", who="me").faults[0]["path"] == "/why"
    draft = project.stages.infer("mine")
    assert draft["required"] == ["who"]
    project.stages.use("mine", draft, mode="strict")
    project.log("mine", who="me")
    project.stages.use("*", mode="strict")
    with pytest.raises(StageSchemaError):
        project.log("aggregation_round")
    project.log("free text", anything=1)


@pytest.mark.parametrize(
    ("stage", "schema", "mode", "said"),
    [
        ("a", {"type": "float"}, None, "not acceptable"),
        ("a", {"$ref": "https://example.org/"}, None, "/\\$ref"),
        ("a", "no json", None, "cannot be read"),
        ("a", {"x": {1, 2}}, None, "as JSON"),
        ("a", {}, "loud", "off, warn or strict"),
        ("client_ruond", None, None, "did you mean"),
        (" ", {}, None, "blank"),
    ],
)
def test_what_is_no_schema_is_refused(
    project: Project, stage: str, schema: object, mode: str | None, said: str
) -> None:
    with pytest.raises(InvalidSchemaError, match=said) as caught:
        project.stages.use(stage, schema, mode=mode)  # type: ignore[arg-type]
    assert isinstance(caught.value, QuarkLensError) and isinstance(caught.value, ValueError)
    assert project.stages.in_force() == {}


def test_nothing_is_drafted_from_nothing(project: Project) -> None:
    project.log("s", a=1)
    assert project.stages.infer("s")["required"] == ["a"]
    with pytest.raises(InvalidSchemaError, match="no records of stage"):
        project.stages.infer("t")
    with pytest.raises(TypeError, match="a dictionary or JSON text, not list"):
        project.stages.use("s", [])  # type: ignore[arg-type]


def test_coverage_and_vocabulary(project: Project) -> None:
    project.log("experiment_start")
    project.log("client_ruond")
    coverage = project.stages.coverage()
    assert coverage["present"][0]["canonical"] == "project_start"
    assert coverage["unknown"][0]["suggestion"] == "client_round"
    assert "aggregation" in coverage["lacking"]
    names = [known["stage"] for known in Stages.vocabulary()]
    assert len(names) == 43 and "client_round" in names


def _log_elsewhere(folder: str, outcome: object) -> None:
    backend = open_backend(folder)
    project = Project.resume("demo", backend)
    try:
        project.log("client_round", round="one")
        outcome.put("written")  # type: ignore[attr-defined]
    except StageSchemaError as error:
        outcome.put(error)  # type: ignore[attr-defined]
    project.close()


def test_another_process_is_held_to_it(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text(SHEET)
    folder = str(tmp_path / "traces")
    with Project.open(sheet, JsonBackend(folder)) as project:
        project.log("client_round", round="one")
        project.stages.use("client_round", mode="strict")
        context = multiprocessing.get_context("spawn")
        outcome = context.Queue()
        child = context.Process(target=_log_elsewhere, args=(folder, outcome))
        child.start()
        said = outcome.get(timeout=60)
        child.join()
        assert isinstance(said, StageSchemaError), said
        assert said.faults[0]["path"] == "/round"
