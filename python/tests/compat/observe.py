"""Prints observations: one line each, without what differs from run to run.

A line is `name<TAB>what was seen<TAB>classes`; `classes` names what an `except` clause could have
caught and is empty where nothing was raised.
"""

import re

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00")
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_ATTRIBUTES = ("project_id", "field", "stage", "record_id")


class Observer:
    """Collects lines; `replacements` are texts of this run and what stands for them."""

    def __init__(self):
        self.replacements = {}
        self.seen = set()

    def value(self, name, value, classes=""):
        """Prints a value under a name that is used once."""
        if name in self.seen:
            raise ValueError(f"{name} was observed before")
        self.seen.add(name)
        text = value if isinstance(value, str) else shown(value)
        print(f"{name}\t{self.normalised(text)}\t{classes}", flush=True)

    def call(self, name, function, /, *args, **kwargs):
        """Prints what a call gives or raises; gives back its result, or None."""
        try:
            result = function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001
            self.raised(name, error)
            return None
        self.value(name, result if result is not None else "None")
        return result

    def raised(self, name, error):
        attributes = {key: getattr(error, key) for key in _ATTRIBUTES if key in vars(error)}
        told = f"raises {type(error).__name__}: {str(error)!r}"
        if attributes:
            told += f" {attributes!r}"
        caught = [kind.__name__ for kind in type(error).__mro__ if _is_stable(kind)]
        self.value(name, told, ",".join(caught))

    def normalised(self, text):
        for found, stand_in in self.replacements.items():
            text = text.replace(found, stand_in)
        text = _ADDRESS.sub("<address>", _TIME.sub("<time>", _ID.sub("<id>", text)))
        return text.replace("\n", "\\n").replace("\t", "\\t")


def _is_stable(kind):
    return kind.__module__ == "builtins" or kind.__module__.startswith("quark_trace")


def shown(value):
    """A value in words: records and sheets by their content, everything else by `repr`."""
    if hasattr(value, "to_json"):
        return f"{type(value).__name__}({value.to_json()!r})"
    if isinstance(value, list):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    return repr(value)
