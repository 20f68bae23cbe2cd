"""The folder is the registry: every module here that defines a named dataclass is a technology."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import Field, fields, is_dataclass
from difflib import get_close_matches
from types import ModuleType
from typing import Any


def all_technologies() -> dict[str, type[Any]]:
    """Every technology of this folder, name to class, in the order of names.

    Raises whatever a module raises when it is imported (a broken technology is a fault, not an absence), and
    ValueError where two modules claim one name.
    """
    found: dict[str, type[Any]] = {}
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda item: item.name):
        for cls in _technologies_in(importlib.import_module(f"{__name__}.{info.name}")):
            name = str(cls.name)
            if name in found:
                raise ValueError(f"technology {name!r} is defined twice: {found[name].__module__}, {cls.__module__}")
            found[name] = cls
    return dict(sorted(found.items()))


def technology(name: str, **overrides: Any) -> Any:
    """A technology by name, with some parameters changed.

    Parameters
    ----------
    name : name of a technology, such as ``"lorawan"``.
    **overrides : parameters by name; the others keep their default.

    Returns
    -------
    A frozen technology. Raises ValueError for an unknown name or parameter (with the nearest known one), for a
    value of the wrong type, and for a value outside the limits of the parameter.
    """
    known = all_technologies()
    if name not in known:
        raise ValueError(f"technology {name!r} is unknown; {_nearest(name, known, 'amiplan technologies')}")
    items = {item.name: item for item in fields(known[name]) if item.metadata}
    for key, value in overrides.items():
        if key not in items:
            raise ValueError(f"{name} has no parameter {key!r}; {_nearest(key, items, f'amiplan technologies {name}')}")
        _check(f"{name} {key}", value, items[key])
    return known[name](**{key: _as_declared(value, items[key]) for key, value in overrides.items()})


def _technologies_in(module: ModuleType) -> list[type[Any]]:
    return [
        item
        for item in vars(module).values()
        if isinstance(item, type)
        and item.__module__ == module.__name__
        and is_dataclass(item)
        and not item.__name__.startswith("_")
        and isinstance(item.__dict__.get("name"), str)
    ]


def _nearest(word: str, known: Any, command: str) -> str:
    """The word that was meant, or where to look where none is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.7)
    return f"nearest is {near[0]!r}" if near else f"`{command}` lists what there is"


def _check(what: str, value: Any, item: Field[Any]) -> None:
    default = item.default
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if isinstance(default, bool) != isinstance(value, bool) or isinstance(default, str) != isinstance(value, str):
        raise ValueError(f"{what} = {value!r}: must be of the type of its default, {default!r}")
    if isinstance(default, (int, float)) and not isinstance(default, bool) and not number:
        raise ValueError(f"{what} = {value!r}: must be a number [{item.metadata['unit']}]")
    if isinstance(default, int) and number and value != int(value):
        raise ValueError(f"{what} = {value!r}: must be a whole number")
    low, high = item.metadata["minimum"], item.metadata["maximum"]
    if number and ((low is not None and value < low) or (high is not None and value > high) or value != value):
        raise ValueError(f"{what} = {value}: allowed is {low} to {high} [{item.metadata['unit']}]")


def _as_declared(value: Any, item: Field[Any]) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return type(item.default)(value) if isinstance(item.default, (int, float)) else value
