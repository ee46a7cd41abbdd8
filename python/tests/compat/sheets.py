"""Fact sheets: made by hand, amended, read from YAML; the schema classes."""

import json
import os

from quark_trace.fact_sheet import FactSheet, load_fact_sheet
from quark_trace.fact_sheet import schema

CONTENT = {
    "purpose": "find fraud",
    "domain": "finance",
    "ml_type": "supervised",
    "algorithm": [{"name": "XGBoost", "variant": "XGBClassifier"}],
    "input": [{"name": "features", "type": "tabular", "description": "normalised"}],
    "output": [{"name": "fraud", "type": "label", "description": None}],
    "performance_metrics": ["accuracy", "f1"],
    "bias": {"type": "historical", "affected_group": "some", "severity": "medium", "notes": None},
    "stakeholders": [{"name": "Jane", "role": "engineer", "contact": None}],
}
YAML = """\
project_id: "my-project-001"
purpose: "Détecter — ≥95%"
domain: "Financial Services"
ml_type: "supervised"
algorithm:
  - name: "XGBoost"
    variant: "XGBClassifier"
input:
  - name: "transaction_features"
    type: "tabular"
output:
  - name: "fraud_label"
    type: "label"
    description: "Binary fraud classification"
performance_metrics:
  - "accuracy"
  - "f1"
bias:
  type: "historical"
  affected_group: "low-income demographics"
  severity: "medium"
stakeholders:
  - name: "Jane Doe"
    role: "ML Engineer"
    contact: "jane@example.com"
"""
BAD_YAML = {
    "missing purpose": YAML.replace("purpose:", "reason:", 1),
    "missing project_id": YAML.replace("project_id:", "other:", 1),
    "unknown ml_type": YAML.replace('"supervised"', '"magic"'),
    "self-supervised": YAML.replace('"supervised"', '"self-supervised"'),
    "numeric id": YAML.replace('"my-project-001"', "7"),
    "unknown key": YAML + "risk: high\n",
    "twice": YAML + "domain: other\n",
    "not yaml": "a: [1\nb: }",
    "empty": "",
    "list": "- 1\n",
    "scalar bias": YAML.replace("bias:\n", "bias: none\nother:\n"),
}


def made(**changes):
    return FactSheet(**{"project_id": "p", **CONTENT, **changes})


def run(observer, folder):
    construction(observer)
    amendments(observer)
    json_form(observer)
    loader(observer, folder)
    schema_classes(observer)


def construction(observer):
    sheet = observer.call("sheet/keywords", made)
    observer.call("sheet/positional", FactSheet, "p", *CONTENT.values(), "hospital")
    observer.call("sheet/too few", lambda: _type_error(FactSheet, "p"))
    for name in ("sheet_id", "project_id", "institution_id", "version", "created_at",
                 "amended_at", "amendment_log", *CONTENT):
        observer.value(f"sheet/attribute {name}", getattr(sheet, name))
    observer.value("sheet/institution", made(institution_id="hospital").institution_id)
    observer.value("sheet/str", str(sheet))
    observer.value("sheet/repr", repr(sheet))
    observer.call("sheet/assign sheet_id", lambda: _attribute_error(sheet, "sheet_id"))
    observer.call("sheet/assign purpose", setattr, sheet, "purpose", "other")
    observer.value("sheet/equal", sheet == FactSheet.from_json(sheet.to_json()))
    observer.value("sheet/no values checked", made(ml_type="magic", bias=None))


def _type_error(function, *arguments):
    try:
        return function(*arguments)
    except TypeError:
        return "a TypeError"


def _attribute_error(sheet, name):
    try:
        setattr(sheet, name, "x")
    except AttributeError:
        return "an AttributeError"


def amendments(observer):
    sheet = made()
    observer.call("amend/positional", sheet.amend, {"purpose": "new"}, "Jane", "because")
    observer.value("amend/version", (sheet.version, sheet.sheet_id, sheet.purpose))
    observer.value("amend/amended_at", sheet.amended_at)
    entry = dict(sheet.amendment_log[0])
    for name in ("version", "amended_at", "amended_by", "fields_changed", "reason"):
        observer.value(f"amend/entry {name}", entry.pop(name))
    observer.value("amend/entry more", sorted(entry))
    observer.value("amend/one time", sheet.amended_at == sheet.amendment_log[0]["amended_at"])
    observer.call("amend/keywords", sheet.amend, fields={"domain": "health", "bias": {
        **CONTENT["bias"], "severity": "low"}}, amended_by="J", reason="r")
    observer.value("amend/again", (sheet.version, len(sheet.amendment_log),
                                   list(sheet.amendment_log[1]["fields_changed"])))
    for name in ("sheet_id", "project_id", "created_at", "version"):
        observer.call(f"amend/immutable {name}", sheet.amend, {name: "x"}, "J", "r")
    observer.call("amend/nothing", sheet.amend, {}, "J", "r")
    observer.call("amend/unknown", sheet.amend, {"purpos": "x"}, "J", "r")
    observer.call("amend/unknown beside known",
                  sheet.amend, {"purpos": "x", "purpose": "y"}, "J", "r")
    observer.call("amend/log itself", sheet.amend, {"amendment_log": []}, "J", "r")
    observer.call("amend/bad value", sheet.amend, {"ml_type": "magic"}, "J", "r")
    observer.call("amend/nobody", sheet.amend, {"purpose": "z"}, "", "r")
    observer.call("amend/no reason", sheet.amend, {"purpose": "zz"}, "J", "")
    fresh = made()
    observer.call("amend/half", fresh.amend, {"purpose": "new", "version": 9}, "J", "r")
    observer.value("amend/half afterwards", (fresh.purpose, fresh.version, fresh.amendment_log))


def json_form(observer):
    sheet = made()
    observer.value("sheet json/keys", list(sheet.to_json()))
    observer.value("sheet json/keys with institution",
                   list(made(institution_id="h").to_json()))
    observer.value("sheet json/text", json.dumps(sheet.to_json(), indent=2))
    sheet.to_json()["amendment_log"].append("forged")
    observer.value("sheet json/after it was changed", sheet.amendment_log)
    document = made().to_json()
    observer.call("sheet json/back", FactSheet.from_json, document)
    observer.call("sheet json/back by keyword", FactSheet.from_json, data=document)
    for name in document:
        without = {key: value for key, value in document.items() if key != name}
        observer.call(f"sheet json/back without {name}", FactSheet.from_json, without)
    odd = {**document, "version": "7", "project_id": 5}
    observer.call("sheet json/converts", FactSheet.from_json, odd)
    observer.call("sheet json/more keys", FactSheet.from_json, {**document, "more": 1})


def loader(observer, folder):
    path = os.path.join(folder, "sheet.yaml")
    _write(path, YAML)
    observer.call("load/positional", load_fact_sheet, path)
    observer.call("load/keyword", load_fact_sheet, yaml_path=path)
    observer.value("load/types", type(load_fact_sheet(path).input[0]["type"]).__name__)
    observer.call("load/missing", _kind_only, load_fact_sheet, os.path.join(folder, "none.yaml"))
    observer.call("load/folder", _kind_only, load_fact_sheet, folder)
    for name, text in BAD_YAML.items():
        _write(path, text)
        observer.call(f"load/{name}", _kind_only, load_fact_sheet, path)


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def _kind_only(function, *arguments):
    """Messages of YAML libraries are theirs: the class alone is compared, and values."""
    try:
        return function(*arguments)
    except Exception as error:
        if type(error).__module__.startswith("quark_trace"):
            error.args = ("(message)",)
            raise
        kinds = [kind for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        kinds = [kind for kind in kinds if not issubclass(kind, UnicodeError)]
        raise kinds[0]("(message)") from None


def schema_classes(observer):
    for name in ("MLType", "BiasSeverity", "InputType", "OutputType"):
        members = {member.name: member.value for member in getattr(schema, name)}
        observer.value(f"schema/{name}", members)
        observer.value(f"schema/{name} is str", issubclass(getattr(schema, name), str))
    observer.call("schema/by value", schema.MLType, "supervised")
    observer.call("schema/by wrong value", schema.MLType, "magic")
    document = {"project_id": "p", **CONTENT}
    checked = schema.FactSheetSchema.model_validate(document)
    observer.value("schema/attributes", (checked.project_id, checked.purpose, checked.domain,
                                         checked.performance_metrics))
    observer.call("schema/ml_type value", lambda: checked.ml_type.value)
    observer.call("schema/algorithm", lambda: checked.algorithm[0].name)
    observer.call("schema/input type", lambda: checked.input[0].type.value)
    observer.call("schema/bias", lambda: checked.bias.severity.value)
    observer.call("schema/nested dump", lambda: checked.stakeholders[0].model_dump())
    observer.value("schema/dump equal", checked.model_dump() == document)
    observer.value("schema/dump keys", list(checked.model_dump()))
    observer.call("schema/keywords", lambda: schema.FactSheetSchema(**document).domain)
    observer.call("schema/missing", _kind_only, schema.FactSheetSchema.model_validate, {})
    observer.call("schema/wrong", _kind_only, schema.FactSheetSchema.model_validate,
                  {**document, "ml_type": "magic"})
    observer.call("schema/None", _kind_only, schema.FactSheetSchema.model_validate, None)
    observer.call("schema/part", lambda: schema.AlgorithmSchema(name="x").model_dump())
    observer.call("schema/part input", lambda: (schema.InputSchema(name="x", type="text").type,
                                                schema.OutputSchema(name="x", type="label").type))
    observer.call("schema/part bias", lambda: schema.BiasSchema(
        type="a", affected_group="b", severity="low").severity.value)
    observer.call("schema/part stakeholder", lambda: schema.StakeholderSchema(
        name="x", role="y").contact)
    observer.call("schema/part wrong", _kind_only,
                  lambda: schema.InputSchema(name="x"))
    observer.call("schema/part wrong type", _kind_only,
                  lambda: schema.InputSchema(name="x", type="magic"))
    observer.call("schema/part wrong kind", _kind_only, lambda: schema.AlgorithmSchema(name=5))
