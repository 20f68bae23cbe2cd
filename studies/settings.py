"""From a table of a case file to a frozen settings dataclass: every key known, every value of the right kind."""

from __future__ import annotations

import math
import types
import typing
from dataclasses import Field, fields, is_dataclass
from difflib import get_close_matches
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from ..channels.parameters import effective


class UserError(ValueError):
    """The user's input is at fault: one sentence that names file, table, key or row, and the fix."""


def fill(cls: type[Any], table: dict[str, Any], where: str) -> Any:
    """An instance of the dataclass ``cls`` with the values of ``table``; the rest keeps its defaults.

    Parameters
    ----------
    where : str
        File and section for error lines, such as ``case.toml [siting]``.

    Raises UserError for an unknown key (with the nearest known name), a value of the wrong kind, or a value outside
    the limits that the field states.
    """
    known = {item.name: item for item in fields(cls) if item.init}
    hints = get_type_hints(cls)
    values = {}
    for key, value in table.items():
        if key not in known:
            raise UserError(f"{where} {key}: unknown key; {suggestion(key, known)}")
        values[key] = _value(known[key], hints[key], value, where)
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {error}") from None


def suggestion(name: str, known: typing.Iterable[str]) -> str:
    """``did you mean 'x'?``, or the list of known names where none is near."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"


def _value(item: Field[Any], hint: Any, value: Any, where: str) -> Any:
    nested = _dataclass_in(hint)
    if nested is not None and isinstance(value, dict):
        return fill(nested, value, f"{where[:-1]}.{item.name}]" if where.endswith("]") else f"{where} [{item.name}]")
    needed = _needed(hint, nested, value)
    if needed:
        raise UserError(f"{where} {item.name} = {value!r}: {needed}{_unit(item)}")
    try:
        checked = TypeAdapter(hint, config=_config(hint)).validate_python(value)
    except ValidationError as error:
        raise UserError(f"{where} {item.name} = {value!r}: {error.errors()[0]['msg'].lower()}{_unit(item)}") from None
    _check_limits(item, checked, where)
    return checked


def _needed(hint: Any, nested: type[Any] | None, value: Any) -> str:
    """What must be written instead of ``value``, in the words of TOML; empty where its kind fits."""
    kinds = [one for one in get_args(hint) if one is not type(None)] if _is_union(hint) else [hint]
    if nested is None and len(kinds) > 1:
        wanted = [_needed(one, None, value) for one in kinds]
        return "" if "" in wanted else " or ".join(wanted)
    kind = kinds[0]
    if nested is not None:
        return f"this is a section with keys {', '.join(item.name for item in fields(nested))[:80]}"
    if kind is bool:
        return "" if isinstance(value, bool) else "write true or false"
    if kind in (int, float):
        return "" if isinstance(value, (int, float)) and not isinstance(value, bool) else "a number is needed"
    if kind is str:
        return "" if isinstance(value, str) else "a text in quotes is needed"
    if get_origin(kind) is tuple:
        return _needed_list(get_args(kind)[0], value)
    if get_origin(kind) is dict and get_origin(get_args(kind)[1]) is dict:
        fits = isinstance(value, dict) and all(isinstance(one, dict) for one in value.values())
        return "" if fits else "a section for each row is needed, with the row's name behind a dot"
    if get_origin(kind) is dict:
        return "" if isinstance(value, dict) else "this is a section; write its keys below a header in square brackets"
    return ""


def _needed_list(kind: Any, value: Any) -> str:
    """Likewise for a list of one kind."""
    if isinstance(value, list) and not any(_needed(kind, None, one) for one in value):
        return ""
    return (
        "a list of numbers is needed, such as [1, 2]"
        if kind in (int, float)
        else 'a list is needed, such as ["a", "b"]'
    )


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (typing.Union, types.UnionType)


def _config(hint: Any) -> ConfigDict | None:
    return None if _dataclass_in(hint) is not None else ConfigDict(arbitrary_types_allowed=True)


def _dataclass_in(hint: Any) -> type[Any] | None:
    for one in (hint, *get_args(hint)):
        if isinstance(one, type) and is_dataclass(one):
            return one
    return None


def _unit(item: Field[Any]) -> str:
    unit = item.metadata.get("unit", "-")
    return "" if unit in ("-", "", "1") else f" [{unit}]"


def _check_limits(item: Field[Any], value: Any, where: str) -> None:
    low, high = item.metadata.get("minimum"), item.metadata.get("maximum")
    numbers = [one for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, (int, float))]
    least, most = (-math.inf if low is None else low), (math.inf if high is None else high)
    if isinstance(value, bool) or all(math.isfinite(one) and least <= one <= most for one in numbers):
        return
    limits = " to ".join(str(one) for one in (low, high) if one is not None)
    word = "from " if low is not None and high is not None else "at least " if low is not None else "at most "
    source = item.metadata.get("source", "")
    allowed = f"{word}{limits}" if limits else "any finite number"
    told = list(value) if isinstance(value, tuple) else value
    raise UserError(
        f"{where} {item.name} = {told}{_unit(item)}: allowed is {allowed}"
        + (f" ({source})" if source not in ("", "user") else "")
    )


def described(settings: Any, group: str, touched: set[str]) -> list[dict[str, Any]]:
    """Rows of a settings dataclass, nested ones too.

    Columns ``group, name, value, unit, meaning, source, confidence, origin`` (user or default).
    """
    rows = []
    for item in fields(settings):
        value = getattr(settings, item.name)
        name = f"{group}.{item.name}"
        if is_dataclass(value) and not isinstance(value, type):
            rows += described(value, name, touched)
        elif item.metadata:
            rows.append(
                {
                    "group": group,
                    "name": item.name,
                    "value": _shown(effective(settings, item.name)),
                    "unit": item.metadata["unit"],
                    "meaning": item.metadata["meaning"],
                    "source": item.metadata["source"],
                    "confidence": item.metadata.get("confidence", ""),
                    "origin": "user" if name in touched else "default",
                }
            )
    return rows


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (tuple, list)):
        return ", ".join(str(one) for one in value)
    return str(value)


def touched_keys(table: dict[str, Any], prefix: str = "") -> set[str]:
    """Dotted names of all keys that a table sets."""
    names: set[str] = set()
    for key, value in table.items():
        name = f"{prefix}{key}"
        names |= touched_keys(value, f"{name}.") if isinstance(value, dict) else {name}
    return names
