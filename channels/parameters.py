"""A configuration field with its unit, meaning, source and confidence in one place."""

from __future__ import annotations

from dataclasses import MISSING, Field, field, fields
from typing import Any


def parameter(
    default: Any,
    unit: str,
    meaning: str,
    source: str,
    *,
    confidence: str = "A",
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A configuration field of a technology: default, unit, meaning and source in one place.

    confidence
        A: read in the source; B: well known, to be checked; C: uncertain, a choice of ours.
    minimum, maximum
        Inclusive limits; a value outside is refused when the case file is read.
    """
    notes = {
        "unit": unit,
        "meaning": meaning,
        "source": source,
        "confidence": confidence,
        "minimum": minimum,
        "maximum": maximum,
    }
    if isinstance(default, (list, dict)):
        return field(default_factory=lambda: default, metadata=notes)
    return field(default=default, metadata=notes)


def effective(settings: Any, name: str) -> Any:
    """The value that counts: that of ``in_force`` where the settings have it there, else the field's own.

    Settings whose fields may leave a number open (a profile decides) tell those numbers in a mapping ``in_force``.
    """
    return getattr(settings, "in_force", {}).get(name, getattr(settings, name))


def parameters_of(technology: Any) -> list[dict[str, Any]]:
    """Rows of a technology or its class.

    Columns ``name, value, default, unit, meaning, source, confidence, minimum, maximum``.
    """
    instance = technology() if isinstance(technology, type) else technology
    return [_parameter_row(instance, item) for item in fields(instance) if item.metadata]


def _parameter_row(instance: Any, item: Field[Any]) -> dict[str, Any]:
    default = item.default if item.default is not MISSING else item.default_factory()  # type: ignore[misc, operator]
    return {"name": item.name, "value": effective(instance, item.name), "default": default, **item.metadata}
