"""Names, module paths, signatures and exceptions."""

import dataclasses
import importlib
import inspect

NAMES = {
    "quark_trace": (
        "Project JsonBackend FactSheet QuarkLensError FactSheetAlreadyExistsError "
        "FactSheetNotFoundError ImmutableFieldError InvalidAmendmentError InvalidStageError "
        "RecordSerializationError BackendReadError BackendWriteError"
    ),
    "quark_trace.exceptions": (
        "QuarkLensError FactSheetError FactSheetAlreadyExistsError FactSheetNotFoundError "
        "ImmutableFieldError InvalidAmendmentError TraceError InvalidStageError "
        "RecordSerializationError BackendError BackendReadError BackendWriteError "
        "NodeVerificationError NodeAuthenticationError NodeScopeError"
    ),
    "quark_trace.fact_sheet": "FactSheet load_fact_sheet",
    "quark_trace.fact_sheet.fact_sheet": "FactSheet ImmutableFieldError InvalidAmendmentError",
    "quark_trace.fact_sheet.loader": "FactSheet FactSheetSchema load_fact_sheet",
    "quark_trace.fact_sheet.schema": (
        "MLType BiasSeverity InputType OutputType AlgorithmSchema InputSchema OutputSchema "
        "BiasSchema StakeholderSchema FactSheetSchema"
    ),
    "quark_trace.project": "Project FactSheet StorageBackend TraceLog TraceRecord load_fact_sheet",
    "quark_trace.trace": "TraceRecord TraceLog",
    "quark_trace.trace.record": "TraceRecord",
    "quark_trace.trace.trace_log": "TraceLog InvalidStageError StorageBackend TraceRecord",
    "quark_trace.trace.backends": "StorageBackend JsonBackend",
    "quark_trace.trace.backends.base": "StorageBackend FactSheet TraceRecord",
    "quark_trace.trace.backends.json_backend": (
        "JsonBackend StorageBackend FactSheet TraceRecord FactSheetAlreadyExistsError "
        "FactSheetNotFoundError BackendReadError BackendWriteError"
    ),
    "quark_trace.trace.backends.http_backend": (
        "HttpBackend StorageBackend FactSheet TraceRecord FactSheetAlreadyExistsError "
        "FactSheetNotFoundError BackendReadError BackendWriteError NodeAuthenticationError "
        "NodeScopeError NodeVerificationError"
    ),
}

SIGNATURES = {
    "quark_trace.project": "Project Project.load Project.resume Project.log Project.history "
    "Project.summary Project.__str__",
    "quark_trace.fact_sheet": "FactSheet FactSheet.amend FactSheet.to_json FactSheet.from_json "
    "load_fact_sheet",
    "quark_trace.trace": "TraceRecord TraceRecord.create TraceRecord.to_json TraceRecord.from_json "
    "TraceLog TraceLog.log TraceLog.load_all",
    "quark_trace.trace.backends": "StorageBackend.save StorageBackend.load_all "
    "StorageBackend.save_fact_sheet StorageBackend.load_fact_sheet JsonBackend JsonBackend.save "
    "JsonBackend.load_all JsonBackend.save_fact_sheet JsonBackend.load_fact_sheet",
    "quark_trace.trace.backends.http_backend": "HttpBackend HttpBackend.save HttpBackend.load_all "
    "HttpBackend.save_fact_sheet HttpBackend.load_fact_sheet",
}

EXCEPTIONS = {
    "QuarkLensError": ("told",),
    "FactSheetError": ("told",),
    "FactSheetAlreadyExistsError": ("p",),
    "FactSheetNotFoundError": ("p",),
    "ImmutableFieldError": ("version",),
    "InvalidAmendmentError": (),
    "TraceError": ("told",),
    "InvalidStageError": ("  ",),
    "RecordSerializationError": ("r1", "why"),
    "BackendError": ("told",),
    "BackendReadError": ("why",),
    "BackendWriteError": ("why",),
    "NodeVerificationError": ("told",),
    "NodeAuthenticationError": ("told",),
    "NodeScopeError": ("told",),
}


def run(observer):
    names(observer)
    signatures(observer)
    exceptions(observer)
    record_class(observer)


def names(observer):
    for module_name, members in NAMES.items():
        module = importlib.import_module(module_name)
        for name in members.split():
            found = getattr(module, name, None)
            described = "absent" if found is None else f"{kind(found)} of {found.__module__}"
            observer.value(f"names/{module_name}.{name}", described)
        star = {}
        exec(f"from {module_name} import *", star)  # noqa: S102
        missing = [name for name in members.split() if name not in star]
        observer.value(f"names/{module_name}/not brought by *", missing)


def kind(found):
    return "class" if inspect.isclass(found) else "function"


def signatures(observer):
    for module_name, members in SIGNATURES.items():
        module = importlib.import_module(module_name)
        for path in members.split():
            found = module
            for part in path.split("."):
                found = getattr(found, part)
            parameters = inspect.signature(found).parameters.values()
            described = [
                (parameter.name, parameter.kind.name)
                + (() if parameter.default is parameter.empty else (parameter.default,))
                for parameter in parameters
            ]
            observer.value(f"signature/{path}", described)


def exceptions(observer):
    module = importlib.import_module("quark_trace.exceptions")
    for name, arguments in EXCEPTIONS.items():
        found = getattr(module, name)
        ours = [base.__name__ for base in found.__mro__ if base.__module__ == module.__name__]
        observer.value(f"exception/{name}/bases", ours)
        observer.raised(f"exception/{name}/made", found(*arguments))
        observer.value(f"exception/{name}/args", found(*arguments).args)
        observer.value(f"exception/{name}/doc", "given" if found.__doc__ else "none")
    observer.call("exception/keywords/stage", module.InvalidStageError, stage="x")
    observer.call("exception/keywords/field", module.ImmutableFieldError, field="x")
    observer.call("exception/keywords/project", module.FactSheetNotFoundError, project_id="x")
    observer.call(
        "exception/keywords/record", module.RecordSerializationError, record_id="r", reason="w"
    )
    observer.call("exception/keywords/reason", module.BackendReadError, reason="w")


def record_class(observer):
    record = importlib.import_module("quark_trace.trace").TraceRecord
    observer.value("record class/is dataclass", dataclasses.is_dataclass(record))
    observer.value("record class/fields", [field.name for field in dataclasses.fields(record)])
    observer.value("record class/frozen", record.__dataclass_params__.frozen)
    observer.value("record class/match args", record.__match_args__)
    observer.value("record class/annotations", sorted(record.__annotations__))
