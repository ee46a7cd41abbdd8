"""Queries from Python: records, data frames, counts, and what is refused."""

import math
import pickle
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pandas
import polars
import pyarrow
import pytest

from quark_trace import (
    JsonBackend,
    Project,
    QuarkLensError,
    QueryError,
    StorageBackend,
    TraceRecord,
)


class Own(StorageBackend):
    """A backend as somebody wrote one for 0.1.0."""

    def __init__(self) -> None:
        self.records: list[TraceRecord] = []
        self.sheets: dict[str, object] = {}

    def save(self, record: TraceRecord) -> None:
        self.records.append(record)

    def load_all(self, project_id: str) -> list[TraceRecord]:
        return [record for record in self.records if record.project_id == project_id]

    def save_fact_sheet(self, fact_sheet) -> None:
        self.sheets[fact_sheet.project_id] = fact_sheet

    def load_fact_sheet(self, project_id: str):
        return self.sheets[project_id]


class Counting(JsonBackend):
    """A backend that changes what is read is asked for all of it."""

    def load_all(self, project_id: str, *, strict: bool = True) -> list[TraceRecord]:
        return super().load_all(project_id, strict=strict)[1:]


def fill(project: Project) -> None:
    project.log("start", site="a")
    for number in range(1, 7):
        project.log("round", round=number, loss=1 / number, site="ab"[number % 2],
                    more={"seen": number * 10, "names": ["x", number]})
    project.log("round", round=7, loss=float("nan"), site=None)
    project.log("end", ok=True, loss="none")


@pytest.fixture(params=["file", "own"])
def filled(request: pytest.FixtureRequest, tmp_path: Path, sheet: Path):
    backend = JsonBackend(tmp_path / "data") if request.param == "file" else Own()
    with Project.open(sheet, backend) as project:
        fill(project)
        yield project


def rounds(found) -> list[object]:
    return [record.payload.get("round") for record in found]


def ids(found) -> list[str]:
    """Records with a NaN in them are not equal, not even to themselves."""
    return [record.record_id for record in found]


def test_records_are_those_of_the_history(filled: Project) -> None:
    found = filled.query()
    assert ids(found) == ids(filled.history())
    assert ids(found) == ids(found), "it can be read again"
    assert all(isinstance(record, TraceRecord) for record in found)
    assert found.count() == 9 and found.cursor is None


def test_a_query_is_lazy_and_asks_anew(filled: Project) -> None:
    found = filled.query("payload.round > 7")
    assert list(found) == []
    filled.log("round", round=8)
    assert rounds(found) == [8]


def test_filters_as_text_and_as_keywords(filled: Project) -> None:
    assert rounds(filled.query("payload.loss < 0.3 AND stage = 'round'")) == [4, 5, 6]
    assert rounds(filled.query("payload.loss < 0.3", where={"payload.site": "b"})) == [5]
    assert rounds(filled.query(stage="start")) == [None]
    assert filled.query(stage=["start", "end"]).count() == 2
    assert rounds(filled.query(where={"payload.round": [2, 3, None]})) == [2, 3]
    assert rounds(filled.query(stage="round", where={"payload.site": None})) == [7]
    assert rounds(filled.query(where={"payload.round": 2.0})) == [2]
    assert rounds(filled.query(where={"payload.round": 2**70})) == []
    assert filled.query(where={"payload.ok": True}).count() == 1
    assert rounds(filled.query("payload.more.names[1] = 3")) == [3]


def test_times(filled: Project) -> None:
    middle = filled.history()[4].timestamp
    since, until = filled.query(since=middle), filled.query(until=middle)
    assert since.count() + until.count() == 9 and since.count() <= 5
    assert filled.query(since=datetime.fromisoformat(middle)).count() == since.count()
    naive = datetime.fromisoformat(middle).replace(tzinfo=None)
    assert filled.query(since=naive).count() == since.count(), "without a zone it is UTC"
    later = datetime.now(timezone(timedelta(hours=5))) + timedelta(hours=1)
    assert filled.query(since=later).count() == 0
    assert filled.query(as_of=middle).count() >= until.count()


def test_order_limit_and_pages(filled: Project) -> None:
    found = filled.query("payload.loss >= 0", order="payload.loss DESC", limit=2)
    assert rounds(found) == [1, 2]
    pages, after = [], None
    while True:
        page = filled.query("payload.loss >= 0", order="payload.loss DESC", limit=4, after=after)
        pages.append(rounds(page))
        after = page.cursor
        if after is None:
            break
    assert pages == [[1, 2, 3, 4], [5, 6]]
    assert rounds(filled.query("stage = 'round' LIMIT 3", limit=5)) == [1, 2, 3]
    assert rounds(filled.query(order=["stage DESC", "payload.round DESC"]))[:3] == [None, 7, 6]
    first = filled.query(stage="round", limit=2)
    assert rounds(filled.query(stage="round", limit=2, after=first.cursor)) == [3, 4]


def test_many_pages_are_read_one_after_the_other(filled: Project, monkeypatch) -> None:
    from quark_trace import query

    monkeypatch.setattr(query, "_PAGE", 2)
    monkeypatch.setattr(query, "_LARGEST_PAGE", 3)
    assert ids(filled.query()) == ids(filled.history())
    assert rounds(filled.query(stage="round", limit=5)) == [1, 2, 3, 4, 5]
    assert filled.query(stage="round", limit=5).cursor is not None


def test_as_of_an_index(tmp_path: Path, sheet: Path) -> None:
    with Project.open(sheet, JsonBackend(tmp_path / "data")) as project:
        fill(project)
        indexes = pyarrow.table(project.query())["index"].to_pylist()
        assert rounds(project.query(as_of=indexes[3])) == [None, 1, 2, 3]
        project.flush()
        note = next((tmp_path / "data").rglob("checkpoint")).read_text()
        project.log("late", round=99)
        assert 99 not in rounds(project.query(as_of=note))
        with pytest.raises(QueryError, match="neither an index"):
            project.query(as_of="no time")


def test_aggregates(filled: Project) -> None:
    whole = filled.query(stage="round").aggregate("payload.loss")
    assert len(whole) == 1 and math.isnan(whole[0].pop("mean")) and math.isnan(whole[0].pop("last"))
    assert whole == [{"records": 7, "count": 7, "min": 1 / 6, "max": 1}]
    by_site = filled.aggregate("payload.round", by="payload.site", query="payload.loss >= 0")
    assert by_site == [
        {"payload.site": "b", "records": 3, "count": 3, "min": 1, "max": 5, "mean": 3, "last": 5},
        {"payload.site": "a", "records": 3, "count": 3, "min": 2, "max": 6, "mean": 4, "last": 6},
    ]
    several = filled.aggregate(["payload.loss", "payload.round"], by=["stage", "payload.ok"])
    assert [row["stage"] for row in several] == ["start", "round", "end"]
    assert several[2]["payload.ok"] is True and several[2]["payload.loss.count"] == 0
    assert several[2]["payload.loss.mean"] is None and several[1]["payload.round.max"] == 7
    assert filled.aggregate() == [{"records": 9}]
    assert filled.aggregate(by="payload.more.names[0]")[1]["payload.more.names[0]"] == "x"


def test_columns_are_typed(filled: Project) -> None:
    table = pyarrow.table(filled.query().to_arrow())
    table.validate(full=True)
    kinds = {name: str(kind) for name, kind in zip(table.column_names, table.schema.types,
                                                   strict=True)}
    assert list(kinds)[:4] == ["record_id", "stage", "timestamp", "index"]
    assert kinds["timestamp"] == "timestamp[us, tz=UTC]"
    assert kinds["payload.round"] == "int64" and kinds["payload.ok"] == "bool"
    assert kinds["payload.more.seen"] == "int64"
    assert kinds["payload.loss"] == "large_string", "numbers and text together"
    assert table["payload.more.names"].to_pylist()[1] == '["x", 1]'
    history = filled.history()
    assert table["record_id"].to_pylist() == [record.record_id for record in history]
    assert table["stage"].to_pylist() == [record.stage for record in history]
    times = [datetime.fromisoformat(record.timestamp) for record in history]
    assert table["timestamp"].to_pylist() == times
    assert table["payload.round"].to_pylist() == rounds(history)


def test_null_and_nan_are_two_things(filled: Project) -> None:
    found = filled.query("stage != 'end'")
    losses = pyarrow.table(found)["payload.loss"].to_pylist()
    assert losses[0] is None and math.isnan(losses[7]) and losses[1] == 1.0
    frame = found.to_polars()
    assert frame["payload.loss"].null_count() == 1 and frame["payload.loss"].is_nan().sum() == 1
    kept = found.to_pandas(types_mapper=pandas.ArrowDtype)["payload.loss"].array
    again = pyarrow.array(kept).to_pylist()
    assert again[0] is None and math.isnan(again[7])


def test_frames(filled: Project) -> None:
    found = filled.query(stage="round", limit=6)
    frame = found.to_pandas()
    assert list(frame["payload.round"]) == [1, 2, 3, 4, 5, 6]
    assert frame["payload.round"].dtype == "int64" and frame["payload.loss"].dtype == "float64"
    assert str(frame["timestamp"].dtype).endswith("UTC]")
    assert frame.groupby("payload.site")["payload.loss"].mean()["a"] == pytest.approx(11 / 36)
    assert found.to_polars().equals(polars.DataFrame(found))
    assert found.to_polars(["payload.site", "stage"]).columns == ["payload.site", "stage"]
    table = found.to_arrow(["payload.loss"])
    assert (len(table), table.num_rows, table.column_names) == (6, 6, ["payload.loss"])
    assert pyarrow.table(table).equals(pyarrow.table(table)), "it can be read again"
    assert filled.query("stage = 'none'").to_pandas().empty


def test_many_records_come_in_batches(tmp_path: Path, sheet: Path) -> None:
    with Project.open(sheet, JsonBackend(tmp_path / "data", durability="buffered")) as project:
        for number in range(40_000):
            project.log("s", number=number, half=number / 2)
        reader = pyarrow.RecordBatchReader.from_stream(project.query().to_arrow())
        batches = list(reader)
        assert len(batches) > 1 and max(len(batch) for batch in batches) <= 16_384
        table = pyarrow.Table.from_batches(batches)
        assert table["payload.number"].to_pylist() == list(range(40_000))
        assert rounds(project.query(limit=3)) == [None] * 3
        seen = [record.payload["number"] for record in project.query("payload.half > 10000")]
        assert seen == list(range(20_001, 40_000))


@pytest.mark.parametrize(("query", "options", "message"), [
    ("stag = 'x'", {}, "there is no field `stag`; did you mean `stage`?\n  stag = 'x'\n  ^^^^"),
    ("stage = ", {}, "stage ="),
    ("", {"order": "loss DESC LIMIT"}, "\n"),
    ("", {"where": {"no such": 1}}, "no such"),
    ("", {"after": "nonsense"}, "this is no cursor"),
    ("", {"as_of": "soon"}, "neither an index"),
    ("payload.a ~ '('", {}, "regular expression"),
    ("x" * (1 << 20), {}, "the limit is 65536"),
    ("timestamp > 'soon'", {}, "soon"),
])
def test_what_cannot_be_understood_is_refused_at_once(
    filled: Project, query: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(QueryError) as caught:
        filled.query(query, **options)
    assert message in str(caught.value)
    assert isinstance(caught.value, QuarkLensError) and isinstance(caught.value, ValueError)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_mistyped_name_is_told_which_was_logged(tmp_path: Path, sheet: Path) -> None:
    with Project.open(sheet, JsonBackend(tmp_path / "data")) as project:
        fill(project)
        with pytest.raises(QueryError, match="did you mean `payload.loss`"):
            project.query("lss < 1")
    with Project.open(sheet, Own()) as project:
        fill(project)
        # All that such a backend has would have to be read for it.
        with pytest.raises(QueryError, match="asked as `payload.lss`"):
            project.query("lss < 1")


def test_what_cannot_be_answered_is_refused_when_it_is_asked(filled: Project) -> None:
    cursor = filled.query(stage="round", limit=1).cursor
    with pytest.raises(QueryError, match="another query"):
        list(filled.query(stage="start", after=cursor))
    with pytest.raises(QueryError, match="name the array"):
        filled.query().to_arrow(["payload.more.names[0]"])
    with pytest.raises(QueryError, match="there is no field"):
        filled.query().aggregate("loss_of")
    with pytest.raises(TypeError, match="payload.a is compared with a dict"):
        filled.query(where={"payload.a": {}})
    with pytest.raises(QueryError, match="limit is how many"):
        filled.query(limit=-1)
    with pytest.raises(QueryError, match="whole characters"):
        filled.query("stage = '\ud800'")
    filled.log("wide", payload={f"k{number}": number for number in range(1001)})
    with pytest.raises(QueryError, match="name the columns"):
        filled.query().to_arrow()
    assert filled.query(stage="wide").to_polars(["payload.k1000"]).item() == 1000


def test_a_backend_that_reads_otherwise_is_asked(tmp_path: Path, sheet: Path) -> None:
    with Project.open(sheet, Counting(tmp_path / "data")) as project:
        fill(project)
        assert ids(project.query()) == ids(project.history())
        assert project.query().count() == 8


def test_wrong_arguments_are_told_by_name(filled: Project) -> None:
    for given, said in [
        ({"query": None}, "a query is text, not NoneType"),
        ({"limit": "5"}, "limit is a whole number, not str"),
        ({"limit": 5.0}, "limit is a whole number, not float"),
        ({"after": 3}, "after is the cursor of a page, not int"),
        ({"since": 3.5}, "a time is a datetime or ISO 8601 text, not float"),
        ({"as_of": 1.5}, "a time is a datetime or ISO 8601 text, not float"),
        ({"where": {"payload.site": b"a"}}, "not with bytes"),
        ({"where": {"payload.site": {"a": 1}}}, "payload.site is compared with a dict"),
    ]:
        with pytest.raises(TypeError, match=said):
            filled.query(**given)
    for given in [{"query": "stage = '\ud800'"}, {"where": {"payload.\ud800": 1}},
                  {"where": {"payload.a": ["\ud800"]}}, {"order": "payload.\ud800"}]:
        with pytest.raises(QueryError, match="lone surrogate"):
            filled.query(**given)
    assert filled.query(limit=2**70).count() == filled.query().count()


def test_values_of_numpy_are_values(filled: Project) -> None:
    numpy = pytest.importorskip("numpy")
    for value in (numpy.int64(3), numpy.float32(3), [numpy.int64(3)], numpy.array([3, 99]),
                  frozenset({3}), range(3, 4)):
        assert rounds(filled.query(where={"payload.round": value})) == [3], value
    assert filled.query(limit=numpy.int64(2)).count() == 2


def test_a_backend_without_ledger_knows_the_past_by_time_alone(sheet: Path) -> None:
    with Project.open(sheet, Own()) as project:
        fill(project)
        for as_of in (3, "example.org/log\n3\nAAAA\n"):
            with pytest.raises(QueryError, match="keeps no ledger.*as_of takes a time"):
                project.query(as_of=as_of)
        assert project.query(as_of="2020-01-01").count() == 0
        assert project.query(as_of="9999-01-01").count() == 9


def test_hostile_values_arrive_as_they_are(filled: Project) -> None:
    hostile = ["'; DROP TABLE records; --", "\x1b[31m", "\u202e", "a\nb", "", "\0", "\U0001f600"]
    for text in hostile:
        filled.log("hostile", text=text, payload={text or "empty": 1})
    found = filled.query(stage="hostile")
    assert found.to_polars()["payload.text"].to_list() == hostile
    for text in hostile:
        assert filled.query(where={"payload.text": text}).count() == 1, text


def test_nothing_large_is_imported_before_it_is_needed(tmp_path: Path, sheet: Path) -> None:
    program = f"""
import sys
from quark_trace import JsonBackend, Project
assert "quark_trace.query" not in sys.modules
project = Project.open({str(sheet)!r}, JsonBackend({str(tmp_path / "data")!r}))
project.log("s", a=1)
assert list(project.query("payload.a = 1")) and project.query().to_arrow().num_rows == 1
heavy = {{"numpy", "pandas", "polars", "pyarrow"}} & set(sys.modules)
assert not heavy, heavy
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_without_the_libraries_the_error_says_what_to_install(
    filled: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match="pip install pandas pyarrow"):
        filled.query().to_pandas()
    with pytest.raises(ImportError, match="pip install polars"):
        filled.query().to_polars()


def test_a_summary_says_that_it_does_not_list_all(tmp_path: Path, sheet: Path) -> None:
    with Project.open(sheet, JsonBackend(tmp_path / "data")) as project:
        for number in range(1_001):
            project.log("round", client_id=f"site-{number}")
        full = project.summary(details=True)
    assert full["is_cut"] is True and len(full["sites"]) == 1_000


def test_a_summary_in_detail(filled: Project) -> None:
    plain, full = filled.summary(), filled.summary(details=True)
    assert plain == {name: full[name] for name in plain}
    assert list(full)[len(plain):] == ["stages", "sites", "numbers", "is_cut",
                                      "schema_faults", "unreadable_lines"]
    assert full["is_cut"] is False
    history = filled.history()
    assert full["stages"]["round"] == {"records": 7, "first_record_at": history[1].timestamp,
                                       "last_record_at": history[7].timestamp}
    assert full["sites"] == {"a": 4, "b": 3}
    assert full["numbers"]["payload.round"] == {"count": 7, "min": 1, "max": 7, "last": 7}
    assert full["numbers"]["payload.more.seen"]["max"] == 60
    assert math.isnan(full["numbers"]["payload.loss"]["last"])
    assert (full["schema_faults"], full["unreadable_lines"]) == ([], 0)
