"""Exceptions: they reach whoever waits in another process, whole."""

import concurrent.futures
import copy
import inspect
import multiprocessing
import pickle
from pathlib import Path

import pytest

import quark_trace
from quark_trace import exceptions
from quark_trace.trace.backends import http_backend

ARGUMENTS = {
    "FactSheetAlreadyExistsError": ("p",),
    "FactSheetNotFoundError": ("p",),
    "ImmutableFieldError": ("version",),
    "InvalidAmendmentError": (),
    "InvalidStageError": (" ",),
    "RecordSerializationError": ("r", "why"),
}
CLASSES = sorted(
    (found for module in (exceptions, http_backend) for found in vars(module).values()
     if inspect.isclass(found) and issubclass(found, exceptions.QuarkLensError)),
    key=lambda found: found.__name__,
)
CLASSES = list(dict.fromkeys(CLASSES))


def made(kind: type) -> exceptions.QuarkLensError:
    error = kind(*ARGUMENTS.get(kind.__name__, ("why",)))
    error.outcome = "unknown"
    error.kind = "io"
    return error


def raise_it(name: str) -> None:
    raise made(next(kind for kind in CLASSES if kind.__name__ == name))


def told(error: BaseException) -> tuple:
    return type(error), str(error), repr(error), error.args, vars(error)


def test_there_are_the_classes_that_are_meant() -> None:
    assert len(CLASSES) >= 24
    for kind in CLASSES:
        assert kind.__doc__ and issubclass(kind, quark_trace.QuarkTraceError)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_an_exception_survives_pickle_and_copy(kind: type) -> None:
    error = made(kind)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert told(pickle.loads(pickle.dumps(error, protocol))) == told(error)
    assert told(copy.copy(error)) == told(error)
    assert told(copy.deepcopy(error)) == told(error)
    assert "why" in str(error) or kind.__name__ in ARGUMENTS


def test_exceptions_come_out_of_a_pool() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        waiting = {kind: pool.apply_async(raise_it, (kind.__name__,)) for kind in CLASSES}
        for kind, result in waiting.items():
            with pytest.raises(kind) as caught:
                result.get(timeout=60)
            assert told(caught.value)[:4] == told(made(kind))[:4]
            assert caught.value.outcome == "unknown"


def test_exceptions_come_out_of_an_executor() -> None:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        for kind in CLASSES:
            future = executor.submit(raise_it, kind.__name__)
            with pytest.raises(kind) as caught:
                future.result(timeout=60)
            assert str(caught.value) == str(made(kind))


def test_an_exception_of_a_log_keeps_its_record(project: quark_trace.Project) -> None:
    record = project.log("s", a=1)
    backend = project._tracer.backend
    conflicting = quark_trace.TraceRecord(record.record_id, "demo", "s", record.timestamp, {})
    with pytest.raises(quark_trace.RecordConflictError) as caught:
        backend.save(conflicting)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.record == conflicting
    assert (again.outcome, again.kind) == ("not_written", "record_conflict")


def test_an_integrity_error_can_be_caught_as_reading_and_as_writing() -> None:
    error = exceptions.IntegrityError("E-SHEET: not the last sheet")
    assert isinstance(error, exceptions.BackendReadError)
    assert isinstance(error, exceptions.BackendWriteError)
    assert str(error) == "E-SHEET: not the last sheet"


def test_errors_of_files_are_also_the_built_in_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        quark_trace.load_fact_sheet(tmp_path / "none.yaml")
    with pytest.raises(IsADirectoryError) as folder:
        quark_trace.load_fact_sheet(tmp_path)
    for caught, reason in ((missing, "there is no such file"), (folder, "it is a folder")):
        assert isinstance(caught.value, quark_trace.FactSheetFileError)
        assert reason in str(caught.value) and "quark-trace init" in str(caught.value)
        assert caught.value.__cause__ is not None
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
