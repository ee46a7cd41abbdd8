"""Every observation in which this version differs from 0.1.0 on purpose, and why.

`row` names the fault of the original as the design's review of it numbers them. `lost` are the
classes that an `except` clause written for 0.1.0 no longer meets there.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mended:
    row: str
    reason: str
    names: tuple[str, ...]
    lost: frozenset[str] = field(default_factory=frozenset)


def mended(row, reason, *names, lost=""):
    return Mended(row, reason, names, frozenset(lost.split()))


_RAISED_NOTHING = "{} Exception BaseException object"
_SHEET_ERRORS = ("missing purpose", "missing project_id", "unknown ml_type", "numeric id",
                 "not yaml", "empty", "list", "scalar bias")

MENDED = (
    mended("D2", "a payload may have members called stage and self",
           "signature/Project.log", "signature/TraceLog.log"),
    mended("D2", "a payload may have members called stage and self",
           "log/key stage", "log/key self", lost=_RAISED_NOTHING.format("TypeError")),
    mended("C1", "strict=False reads what is readable of a damaged file",
           "signature/Project.history", "signature/JsonBackend.load_all"),
    mended("B1", "durability and signing keys can be chosen, by keyword alone",
           "signature/JsonBackend"),
    mended("D1", "native method: the same call, self cannot be given by name",
           "signature/TraceRecord.to_json"),
    mended("D7", "details can be asked for, by keyword alone", "signature/Project.summary"),
    mended("D1", "a record cannot be changed, neither through its payload nor from outside",
           "record/change payload", "record/payload afterwards",
           "record/after the given dictionary changed", "record/after to_json() was changed"),
    mended("D1", "records have a hash", "record/hash", lost=_RAISED_NOTHING.format("TypeError")),
    mended("D5", "payloads may be confidential and do not belong into logs",
           "record/str", "record/repr"),
    mended("D3", "a stage that is no text is an InvalidStageError like any other",
           "log/stage number", lost="AttributeError"),
    mended("E9", "institution_id is written and read",
           "sheet/positional", "sheet json/keys with institution"),
    mended("E13", "fact sheets can be compared and show what they are",
           "sheet/repr", "sheet/equal"),
    mended("E8", "a sheet changes by amendment alone", "sheet/assign purpose"),
    mended("E7", "an amendment has one time", "amend/one time"),
    mended("E5", "an amendment names its fields, its maker and its reason",
           "amend/unknown", "amend/unknown beside known", "amend/nobody", "amend/no reason"),
    mended("E2", "only content can be amended", "amend/log itself"),
    mended("E3", "amended values follow the rules for YAML sheets", "amend/bad value"),
    mended("E4", "an amendment is applied whole or not at all", "amend/half afterwards"),
    mended("E10", "to_json gives copies", "sheet json/after it was changed"),
    mended("E11", "a sheet from a server of 0.1.0 has no created_at",
           "sheet json/back without created_at",
           lost=_RAISED_NOTHING.format("KeyError LookupError")),
    mended("F3", "unknown fields are kept", "sheet json/more keys", "load/unknown key"),
    mended("F7", "words are plain text from the beginning",
           "load/positional", "load/keyword", "load/types", "project/sheet"),
    mended("F5", "typed errors, which are also what escaped before",
           "load/missing", "load/folder", *(f"load/{name}" for name in _SHEET_ERRORS),
           "schema/missing", "schema/wrong", "schema/None", "schema/part wrong",
           "schema/part wrong type", "schema/part wrong kind"),
    mended("F2", "self-supervised learning, which the README of 0.1.0 lists", "schema/MLType"),
    mended("F2", "self-supervised learning, which the README of 0.1.0 lists",
           "load/self-supervised", lost=_RAISED_NOTHING.format("ValueError")),
    mended("F4", "a field given twice is a fault, not a lost value", "load/twice"),
    mended("C10", "log() returns what was stored", "project/log keys", "project/log tuple"),
    mended("C9", "RecordSerializationError, which is also a TypeError", "project/log set"),
    mended("C4", "two keys that become one name are refused", "backend/save keys twice"),
    mended("G2", "sheet and log are of one project", "project/of two"),
    mended("C2", "what is written is JSON: NaN is tagged",
           "files/my-project-001_trace_log.jsonl/7"),
    mended("A11", "making a backend writes nothing", "backend/folder made at once"),
    mended("B10", "saving a record again stores it once",
           "backend/load_all", "backend/load_all by keyword"),
    mended("A11", "a BackendError, which is also a FileExistsError", "backend/path of a file"),
    mended("A1", "an id cannot lead out of the folder",
           "backend/save under parent", "backend/escaped"),
    mended("A1", "an id that cannot be a file name is a typed ValueError",
           "backend/save under slash", lost="BackendWriteError BackendError"),
    mended("A5", "the empty id is refused", "backend/save under empty"),
    mended("A6", "checked before any file is touched", "backend/save under nul"),
    mended("A6", "checked before any file is touched", "backend/save under long",
           lost="BackendWriteError BackendError"),
    mended("B2", "a torn last line is moved aside; the rest stays readable",
           "damaged/torn", lost=_RAISED_NOTHING.format("ValueError")),
    mended("C1", "RecordCorruptedError with line and offset, which is also a ValueError",
           "damaged/no json", "damaged/not utf-8"),
    mended("C1", "RecordCorruptedError with line and offset", "damaged/no record",
           lost="KeyError LookupError"),
    mended("D6", "a backend that keeps no sheets says so", "own/two methods load"),
    mended("D6", "a backend that keeps no sheets says so", "own/two methods resume",
           lost="AttributeError"),
    mended("H17", "a BackendError, which is also a ValueError", "http/no settings", "http/no key",
           "http/no node", "http/no url", "http/empty"),
    mended("H16", "importing reads no file", "http/imported without effects"),
    mended("H11", "every failure of the pre-flight check is a NodeVerificationError",
           "http/node homeless", lost="KeyError LookupError"),
    mended("H11", "every failure of the pre-flight check is a NodeVerificationError",
           "http/node answers text", lost="OSError ValueError"),
    mended("D7", "delivery, times and limits can be chosen, by keyword alone",
           "signature/HttpBackend"),
    mended("H3", "a server that is not there stops no training run; delivery=\"strict\" raises",
           "http/nobody listens",
           lost=_RAISED_NOTHING.format("NodeVerificationError QuarkLensError")),
    mended("H2", "redirects are not followed with the key", "http/node redirected"),
    mended("H6", "an id cannot name another path", "http/node with slash", "http/node request"),
    mended("H10", "401 and 403 are authentication and scope errors as well; the server's reason is "
           "told", *(f"http/save {status}" for status in (400, 401, 403, 404, 409, 500)),
           *(f"http/save sheet {status}" for status in (401, 403, 422, 500)),
           *(f"http/load_all {status}" for status in (401, 403, 404, 500)),
           "http/load sheet 401", "http/load sheet 500"),
    mended("H9", "a library prints nothing",
           *(f"http/save {status}, printed" for status in (400, 401, 403, 404, 409, 500)),
           *(f"http/save sheet {status}, printed" for status in (401, 403, 422, 500)),
           *(f"http/load_all {status}, printed" for status in (401, 403, 404, 500))),
    mended("H1", "reading sends the key", "http/load_all request", "http/load sheet request"),
    mended("H12", "answers about another project are refused",
           "http/load_all of another project", "http/project answered with another"),
    mended("H12", "an answer that is no record is a BackendReadError", "http/load_all no record",
           lost="KeyError LookupError"),
    mended("E11", "the server gets the whole sheet", "http/save sheet sends more"),
)
