"""Fact sheets as objects: read-only, copied, compared, refused when they cannot be stored."""

import copy
import math
import pickle
from pathlib import Path

import pytest

from quark_trace import (
    FactSheet,
    FactSheetValidationError,
    ImmutableFieldError,
    InvalidAmendmentError,
    JsonBackend,
    Project,
    load_fact_sheet,
)


@pytest.fixture
def loaded(sheet: Path) -> FactSheet:
    return load_fact_sheet(sheet)


def changed(loaded: FactSheet, **changes: object) -> FactSheet:
    return FactSheet.from_json({**loaded.to_json(), **changes})


@pytest.mark.parametrize("name", ["project_id", "version", "purpose", "amendment_log", "new",
                                  "to_json", "amend"])
def test_attributes_cannot_be_set(name: str, loaded: FactSheet) -> None:
    before = loaded.to_json()
    with pytest.raises(ImmutableFieldError) as caught:
        setattr(loaded, name, "x")
    assert isinstance(caught.value, AttributeError) and caught.value.field == name
    with pytest.raises(ImmutableFieldError):
        delattr(loaded, name)
    with pytest.raises(AttributeError):
        loaded.sheet_id = "x"
    assert loaded.to_json() == before


def test_what_it_holds_cannot_be_changed(loaded: FactSheet) -> None:
    for change in (lambda: loaded.algorithm.append({}), lambda: loaded.bias.update(type="x"),
                   lambda: loaded.algorithm[0].update(name="x"),
                   lambda: loaded.amendment_log.clear()):
        with pytest.raises(TypeError, match="cannot be changed"):
            change()
    loaded.to_json()["algorithm"].append("forged")
    assert len(loaded.algorithm) == 1


def test_it_is_what_was_given_not_what_that_becomes(loaded: FactSheet) -> None:
    data = loaded.to_json()
    made = FactSheet.from_json(data)
    data["stakeholders"][0]["name"] = "forged"
    assert made.stakeholders[0]["name"] == "Jane Doe"


def test_copies_and_pickles_are_equal(loaded: FactSheet) -> None:
    for again in (copy.copy(loaded), copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded)),
                  FactSheet.from_json(loaded.to_json())):
        assert again == loaded and hash(again) == hash(loaded) and again is not loaded
        again.amend({"purpose": "other"}, "Jane", "why")
        assert again != loaded and loaded.version == 1


def test_amending_a_copy_in_memory_is_not_storing(project: Project) -> None:
    project.fact_sheet.amend({"purpose": "in memory"}, "Jane", "why")
    assert Project.resume("demo", project._tracer.backend).fact_sheet.purpose == "find fraud"


UNWRITABLE = {"set": {1}, "bytes": b"x", "object": object(), "nan": math.nan}


@pytest.mark.parametrize("name", UNWRITABLE)
def test_a_sheet_that_is_no_json(name: str, loaded: FactSheet, tmp_path: Path) -> None:
    bad = changed(loaded, stakeholders=[{"name": UNWRITABLE[name], "role": "x"}])
    with pytest.raises(FactSheetValidationError, match="cannot be written as JSON") as caught:
        JsonBackend(tmp_path / "data").save_fact_sheet(bad)
    assert isinstance(caught.value, (TypeError, ValueError))
    assert not (tmp_path / "data").exists()


def test_validate_says_every_fault_at_once(loaded: FactSheet) -> None:
    loaded.validate()
    with pytest.raises(FactSheetValidationError) as caught:
        changed(loaded, ml_type="magic", bias={}).validate()
    paths = {fault["path"] for fault in caught.value.faults}
    assert "ml_type" in paths and len(paths) >= 2


@pytest.mark.parametrize("value", [{1}, b"x", math.nan, object()])
def test_an_amendment_that_is_no_json(value: object, project: Project) -> None:
    for amend in (project.amend, project.fact_sheet.amend):
        with pytest.raises((InvalidAmendmentError, FactSheetValidationError)):
            amend({"purpose": value}, "Jane", "why")
    assert len(project.sheets()) == 1


def test_unknown_fields_are_kept_with_a_warning(sheet: Path, tmp_path: Path) -> None:
    sheet.write_text(sheet.read_text() + 'risk: "high"\n')
    with pytest.warns(UserWarning, match="risk"):
        project = Project.open(sheet, JsonBackend(tmp_path / "data"))
    assert project.fact_sheet.extra == {"risk": "high"}
    assert Project.resume("demo", JsonBackend(tmp_path / "data")).fact_sheet.extra["risk"] == "high"
