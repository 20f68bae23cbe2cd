"""Tables of appliances, of the hours at which they run, and of the installation between them and the meter.

The numbers stand in ``appliances.csv``, ``load_hours.csv`` and ``installations.csv`` beside this file; a case may
change rows or add its own. All of them are estimates (confidence C) from ratings and usual components.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..paths import CUSTOMER_CLASSES
from .appliance_rows import (
    Row,
    appliance_row,
    changed_row,
    check_branches,
    check_installation,
    check_known,
    check_words,
    numbers,
    profile_row,
    ranges,
    rows_of,
)

Array = NDArray[Any]

PARTS = {
    "r_ohm": 1.0, "l_uh": 1e-6, "c_uf": 1e-6, "x_uf": 1e-6, "x_ohm": 1.0, "feed_ohm": 1.0, "feed_uh": 1e-6,
}  # fmt: skip
"""Ranges of an appliance and what turns them into SI; the order of the last axis of `ApplianceTable.part_low`."""

INSTALLATION_PARTS = {"riser_ohm": 1.0, "riser_uh": 1e-6, "wiring_uf": 1e-6, "wiring_ohm": 1.0}
"""The same for the installation of a class."""


@dataclass(frozen=True, eq=False)
class ApplianceTable:
    """What may hang behind a meter; every column is described in the head of its file.

    names : of the n appliances
    mean_count : (n, n_classes) mean number per customer, 0 to ``most``;  most : (n,) int64
    all_phases : (n,) bool, stands on every circuit of a three-phase customer
    running : (n, 24) share of the owned devices that run at each whole hour
    connected : (n,) bool, the X capacitor stays on the line when idle
    rectifier : (n,) bool, the main branch lies behind a bridge
    part_low, part_high : (n, 7) limits of `PARTS` in SI units; 0 to 0 where absent
    installation_low, installation_high : (n_classes, 4) limits of `INSTALLATION_PARTS` in SI units
    """

    names: tuple[str, ...]
    mean_count: Array
    most: Array
    all_phases: Array
    running: Array
    connected: Array
    rectifier: Array
    part_low: Array
    part_high: Array
    installation_low: Array
    installation_high: Array

    def running_at(self, hour: float) -> Array:
        """Share of the owned devices that run at an hour of the day, (n,), straight between whole hours.

        Raises ValueError where the hour leaves 0 to 24.
        """
        if not 0 <= hour <= 24:
            raise ValueError(f"hour {hour} is no time of day; give 0 to 24")
        before, share = int(hour) % 24, hour % 1
        return np.asarray((1 - share) * self.running[:, before] + share * self.running[:, (before + 1) % 24])


def appliance_table(extra: Mapping[str, Any] | None = None) -> ApplianceTable:
    """The built-in tables with a user's changes.

    Parameters
    ----------
    extra
        ``appliances``: name to columns of ``appliances.csv``; a known name keeps what is not given, a new one needs all
        columns or ``like``, the name of a row to begin with. ``hours``: profile name to 24 numbers.
        ``installations``: class to columns of ``installations.csv``. ``builtin_appliances``: False leaves out every
        built-in appliance that is not named.

    Returns
    -------
    ApplianceTable. Raises ValueError for an unknown key or name (with the nearest known one), a range that falls, a
    number or share outside its limits, or an appliance without a branch.
    """
    if not extra:
        return _built_in()
    given = _sections(extra)
    hours = rows_of("load_hours.csv") | {name: profile_row(name, values) for name, values in given["hours"].items()}
    installations = dict(rows_of("installations.csv"))
    for name, changes in given["installations"].items():
        check_known(name, CUSTOMER_CLASSES, "installations")
        installations[name] = changed_row(installations[name], changes, f"installation {name!r}")
    built_in = rows_of("appliances.csv")
    appliances = dict(built_in) if given["builtin_appliances"] else {}
    for name, changes in given["appliances"].items():
        appliances[name] = appliance_row(name, changes, built_in)
    return _table(appliances, hours, installations)


def _sections(extra: Mapping[str, Any]) -> dict[str, Any]:
    """A user's changes with every section there and of the right kind."""
    given: dict[str, Any] = {"appliances": {}, "hours": {}, "installations": {}, "builtin_appliances": True}
    for key, value in extra.items():
        check_known(key, given, "loads")
        if not isinstance(value, bool if key == "builtin_appliances" else Mapping):
            needed = "write true or false" if key == "builtin_appliances" else "a table is needed"
            raise ValueError(f"loads {key} = {value!r}: {needed}")
    return given | dict(extra)


@lru_cache(maxsize=1)
def _built_in() -> ApplianceTable:
    """The tables as they stand beside this file."""
    return _table(rows_of("appliances.csv"), rows_of("load_hours.csv"), rows_of("installations.csv"))


def _table(appliances: dict[str, Row], hours: dict[str, Row], installations: dict[str, Row]) -> ApplianceTable:
    """Checked columns."""
    if not appliances:
        raise ValueError("there is no appliance; name at least one, or leave builtin_appliances true")
    day = {name: numbers(row, row, f"hours {name!r}", 1.0) for name, row in hours.items()}
    parts, running, installation = [], [], []
    for name, row in appliances.items():
        where = f"appliance {name!r}"
        check_words(row, day, where)
        on_ratio = numbers(row, ("on_ratio",), where, 1.0)
        parts.append(ranges(row, PARTS, where))
        check_branches(row, where)
        running.append(on_ratio * day[row["hours"]])
    for name in CUSTOMER_CLASSES:
        where = f"installation {name!r}"
        installation.append(ranges(installations[name], INSTALLATION_PARTS, where))
        check_installation(installation[-1], where)
    rows = appliances.values()
    counts = [numbers(row, CUSTOMER_CLASSES, f"appliance {name!r}", row["most"]) for name, row in appliances.items()]
    low_high, class_low_high = np.array(parts), np.array(installation)
    return ApplianceTable(
        tuple(appliances),
        np.array(counts),
        np.array([int(row["most"]) for row in rows]),
        np.array([row["phases"] == 3 for row in rows]),
        np.array(running),
        np.array([row["idle"] == "connected" for row in rows]),
        np.array([row["circuit"] == "rectifier" for row in rows]),
        low_high[:, 0],
        low_high[:, 1],
        class_low_high[:, 0],
        class_low_high[:, 1],
    )
