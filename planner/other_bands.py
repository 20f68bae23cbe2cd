"""The other bands in which a power-line technology could work: those the country allows, and those that need leave."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from ..channels.technology import Technology

ASKED = "tried only to see what it would bring; permission is not given"
"""Reason under which a band without allocation is tried."""


@dataclass(frozen=True)
class OtherBand:
    """A band, the technology in it, and what allows it.

    by_rule : the country allocates it; else ``permission`` says what is missing
    """

    name: str
    technology: Technology
    by_rule: bool
    permission: str


def other_bands(technology: Technology) -> tuple[OtherBand, ...]:
    """Every other band plan or channel of the family that its parameters allow; none where it knows one band only."""
    names = {item.name for item in fields(technology)}  # type: ignore[arg-type]
    found: list[OtherBand | None] = []
    if "band" in names and hasattr(technology, "plans"):
        own, known = technology.band, technology.plans  # type: ignore[attr-defined]
        found = [_in_band(technology, str(name), band=name) for name in known if name != own]
    elif "first_channel" in names:
        own, known = technology.first_channel, range(1, _last_channel(technology) + 1)  # type: ignore[attr-defined]
        found = [_in_band(technology, f"channel {n}", first_channel=n) for n in known if n != own]
    return tuple(one for one in found if one is not None)


def _last_channel(technology: Technology) -> int:
    notes = {item.name: item.metadata for item in fields(technology)}  # type: ignore[arg-type]
    return int(notes["first_channel"]["maximum"])


def _in_band(technology: Technology, name: str, **change: Any) -> OtherBand | None:
    """The technology in another band; None where its other parameters do not fit that band."""
    for reason in ("", ASKED):
        try:
            moved: Any = replace(technology, allow_band=reason, **change)  # type: ignore[type-var]
        except ValueError:
            continue
        words = moved.permission.text.partition("; used all the same")[0]
        return OtherBand(name, moved, moved.permission.by_rule, words)
    return None
