"""Dictionaries and lists that cannot be changed: what a record says was said.

They are real ``dict`` and ``list`` objects to whoever reads them (``json.dumps``, pandas, ``==``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn


def _refuse(self: object, *_args: Any, **_kwargs: Any) -> NoReturn:
    raise TypeError(
        "a record cannot be changed; make a copy with record.to_json()['payload'] and log that"
    )


class FrozenDict(dict[str, Any]):
    """A dictionary that cannot be changed."""

    __slots__ = ()
    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self))

    def copy(self) -> dict[str, Any]:
        """Make a plain dictionary whose containers can be changed."""
        copied: dict[str, Any] = thaw(self)
        return copied

    def __copy__(self) -> dict[str, Any]:
        return self.copy()

    def __deepcopy__(self, _memo: Any) -> dict[str, Any]:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (dict(self),))


class FrozenList(list[Any]):
    """A list that cannot be changed."""

    __slots__ = ()
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = clear = extend = insert = pop = remove = reverse = sort = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return len(self)

    def copy(self) -> list[Any]:
        """Make a plain list whose containers can be changed."""
        copied: list[Any] = thaw(self)
        return copied

    def __copy__(self) -> list[Any]:
        return self.copy()

    def __deepcopy__(self, _memo: Any) -> list[Any]:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (list(self),))


def freeze(value: Any) -> Any:
    """Copy dictionaries, lists and tuples into frozen ones; everything else is kept."""
    if isinstance(value, Mapping):
        return FrozenDict({name: freeze(item) for name, item in value.items()})
    if isinstance(value, (list, tuple)):
        return FrozenList([freeze(item) for item in value])
    return value


def thaw(value: Any) -> Any:
    """Copy dictionaries and lists into plain ones."""
    if isinstance(value, dict):
        return {name: thaw(item) for name, item in value.items()}
    if isinstance(value, list):
        return [thaw(item) for item in value]
    return value
