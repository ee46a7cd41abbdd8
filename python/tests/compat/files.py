"""Projects in a folder: what is written, read back and refused."""

import os
import re

from quark_trace import JsonBackend, Project
from quark_trace.fact_sheet import FactSheet
from quark_trace.trace import TraceLog, TraceRecord
from quark_trace.trace.backends import StorageBackend

import records
import sheets


class FourMethods(records.TwoMethods):
    """A backend of one's own that keeps fact sheets, too."""

    def __init__(self):
        super().__init__()
        self.sheets = {}

    def save_fact_sheet(self, fact_sheet):
        self.sheets[fact_sheet.project_id] = fact_sheet

    def load_fact_sheet(self, project_id):
        return self.sheets[project_id]


def run(observer, folder):
    yaml = os.path.join(folder, "project.yaml")
    with open(yaml, "w", encoding="utf-8") as file:
        file.write(sheets.YAML)
    a_project(observer, folder, yaml)
    a_backend(observer, folder)
    damaged(observer, folder)
    own_backends(observer, yaml)


def a_project(observer, folder, yaml):
    data = os.path.join(folder, "data")
    backend = JsonBackend(data)
    project = Project.load(yaml, backend)
    observer.value("project/str", str(project))
    observer.value("project/repr begins", repr(project)[:36])
    observer.value("project/sheet", project.fact_sheet)
    observer.value("project/tracer", (type(project._tracer).__name__, project._tracer.project_id,
                                      project._tracer.backend is backend))
    observer.call("project/empty history", project.history)
    observer.call("project/empty summary", project.summary)
    observer.call("project/log", project.log, "start", rounds=10, clients=[1, 2], name="é")
    observer.call("project/log by keyword", project.log, stage="round", loss=0.21, nested={"a": {}})
    observer.call("project/log nothing", project.log, "end")
    observer.call("project/log blank", project.log, "  ")
    observer.call("project/log unusual", project.log, "round", big=2**64 + 1, neg=-0.0, one=1.0,
                  tiny=5e-324, sci=1e22, text="\u2028\x7f\x00\"\\/", none=None, flag=True)
    observer.call("project/log surrogate", project.log, "round", file="caf\udce9.csv")
    observer.call("project/log keys", project.log, "round", keys={1: "a", None: "b", True: "c",
                                                                   2.5: "d"})
    observer.call("project/log tuple", project.log, "round", pair=(1, 2))
    observer.call("project/log set", project.log, "round", members={1})
    observer.call("project/log nan", project.log, "round", loss=float("nan"))
    observer.call("project/history", project.history)
    observer.call("project/summary", project.summary)
    observer.call("project/load again", Project.load, yaml, backend)
    observer.call("project/load by keyword", Project.load, fact_sheet_path=yaml, backend=backend)
    resumed = Project.resume("my-project-001", JsonBackend(data))
    observer.value("project/resumed", resumed.fact_sheet)
    observer.call("project/resumed log", resumed.log, "again")
    observer.call("project/resumed history", lambda: len(resumed.history()))
    observer.call("project/resume by keyword", Project.resume, project_id="my-project-001",
                  backend=backend)
    observer.call("project/resume unknown", Project.resume, "nobody", backend)
    observer.call("project/made by hand",
                  lambda: str(Project(project.fact_sheet, TraceLog("my-project-001", backend))))
    observer.call("project/made by keyword", lambda: str(Project(
        fact_sheet=project.fact_sheet, tracer=TraceLog("my-project-001", backend))))
    observer.call("project/of two", lambda: str(Project(project.fact_sheet,
                                                        TraceLog("other", backend))))
    observer.value("files/names", sorted(
        name for name in os.listdir(data) if not name.endswith(".qtlog")))
    for name in ("my-project-001_trace_log.jsonl", "my-project-001_fact_sheet.json"):
        with open(os.path.join(data, name), "rb") as file:
            text = file.read().decode()
        for number, line in enumerate(text.split("\n")):
            observer.value(f"files/{name}/{number}", line)


def a_backend(observer, folder):
    data = os.path.join(folder, "deep", "er")
    backend = JsonBackend(path=data)
    observer.value("backend/path", str(backend.path))
    observer.value("backend/path type", isinstance(backend.path, os.PathLike))
    observer.value("backend/file_type", backend.file_type)
    observer.value("backend/folder made at once", os.path.isdir(data))
    observer.value("backend/is a StorageBackend", isinstance(backend, StorageBackend))
    record = TraceRecord("r1", "p", "s", "t", {"a": 1})
    observer.call("backend/save", backend.save, record)
    observer.call("backend/save by keyword", backend.save,
                  record=TraceRecord("r2", "p", "s", "t", {}))
    observer.call("backend/save the same", backend.save, record)
    observer.call("backend/load_all", backend.load_all, "p")
    observer.call("backend/load_all by keyword", backend.load_all, project_id="p")
    observer.call("backend/load_all unknown", backend.load_all, "q")
    sheet = sheets.made(project_id="p")
    observer.call("backend/save sheet", backend.save_fact_sheet, sheet)
    observer.call("backend/save sheet again", backend.save_fact_sheet, fact_sheet=sheet)
    observer.call("backend/load sheet", backend.load_fact_sheet, "p")
    observer.call("backend/load sheet by keyword", backend.load_fact_sheet, project_id="p")
    observer.call("backend/load sheet unknown", backend.load_fact_sheet, "q")
    observer.call("backend/save keys twice", backend.save,
                  TraceRecord("r1", "k", "s", "t", {1: "a", "1": "b"}))
    other = JsonBackend(data, "log")
    observer.call("backend/other file type", other.save, record)
    observer.call("backend/other file type by keyword",
                  lambda: JsonBackend(path=data, file_type="txt").file_type)
    observer.value("backend/other file", os.path.exists(os.path.join(data, "p_trace_log.log")))
    observer.call("backend/other file type read", other.load_all, "p")
    a_file = os.path.join(folder, "a file")
    open(a_file, "w").close()
    observer.call("backend/path of a file", _class_only, JsonBackend, a_file)
    relative = os.path.relpath(data)
    observer.value("backend/relative path", str(JsonBackend(relative).path))
    for name, project_id in {"parent": "../evil", "slash": "a/b", "empty": "", "nul": "a\0b",
                             "long": "x" * 300}.items():
        given = TraceRecord("r", project_id, "s", "t", {})
        observer.call(f"backend/save under {name}", _class_only, backend.save, given)
    observer.value("backend/escaped", os.path.exists(
        os.path.join(folder, "deep", "evil_trace_log.jsonl")))


def _class_only(function, *arguments):
    """Messages of the system are the system's."""
    try:
        return function(*arguments)
    except Exception as error:
        error.args = ("(message)",)
        error.strerror = error.filename = None
        raise type(error).__mro__[0].__new__(type(error), "(message)") from None


def damaged(observer, folder):
    data = os.path.join(folder, "damaged")
    os.makedirs(data)
    good = b'{"record_id": "1", "project_id": "p", "stage": "s", "timestamp": "t", "payload": {}}'
    cases = {
        "crlf": good + b"\r\n" + good.replace(b'"1"', b'"2"') + b"\r\n",
        "blank lines": b"\n" + good + b"\n\n",
        "duplicate keys": good.replace(b"{}", b'{"a": 1, "a": 2}') + b"\n",
        "bare nan": good.replace(b"{}", b'{"a": NaN, "b": -Infinity}') + b"\n",
        "no last newline": good,
        "torn": good + b"\n" + good[:30],
        "no json": b"garbage\n",
        "no record": b'{"a": 1}\n',
        "not utf-8": good.replace(b"{}", b'{"a": "\xff"}') + b"\n",
        "list payload": good.replace(b"{}", b"[1]") + b"\n",
        "no payload": good.replace(b', "payload": {}', b"") + b"\n",
    }
    for name, content in cases.items():
        project = re.sub("[^a-z]", "-", name)
        with open(os.path.join(data, f"{project}_trace_log.jsonl"), "wb") as file:
            file.write(content.replace(b'"p"', f'"{project}"'.encode()))
        observer.call(f"damaged/{name}", sheets._kind_only, JsonBackend(data).load_all, project)


def own_backends(observer, yaml):
    two, four = records.TwoMethods(), FourMethods()
    project = Project.load(yaml, four)
    observer.value("own/str", str(project))
    observer.call("own/log", project.log, "s", a=1)
    observer.call("own/history", project.history)
    observer.call("own/summary", project.summary)
    observer.call("own/resume", lambda: str(Project.resume("my-project-001", four)))
    observer.call("own/resume unknown", Project.resume, "q", four)
    observer.call("own/two methods load", lambda: str(Project.load(yaml, two)))
    observer.call("own/two methods resume", lambda: str(Project.resume("p", two)))
    observer.call("own/two methods by hand", lambda: Project(
        FactSheet("p", *sheets.CONTENT.values()), TraceLog("p", two)).log("s"))
