"""Shares and times as a planner says them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

NONE = "–"
"""Where there is nothing to say."""
MOST_NAMED = 5
"""Names of a list that are said; of more, the rest is counted."""
FLAG_WORDS = {
    "kind": "kind of customer",
    "phases": "number of phases",
    "phase": "phase it hangs on",
    "height": "height above ground",
}
"""What ``data_flag`` names as inferred, where one word does not say it."""


def first_few(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are.

    >>> first_few(["a", "b"]), first_few(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def flag_words(flag: str) -> str:
    """What is inferred, in words.

    >>> flag_words("phases"), flag_words("feeder_node")
    ('number of phases', 'feeder node')
    """
    return FLAG_WORDS.get(flag, flag.replace("_", " "))


def percent(share: Any) -> str:
    """A share with one decimal.

    >>> percent(0.9712)
    '97.1 %'
    """
    return f"{100.0 * float(share):.1f} %"


def interval(share: Any, low: Any, high: Any) -> str:
    """A share and its interval, which is left out where it has no width.

    >>> interval(0.9, 0.85, 0.95), interval(1.0, 1.0, 1.0)
    ('90.0 % (85.0 to 95.0)', '100.0 %')
    """
    ends = f"{100.0 * float(low):.1f}", f"{100.0 * float(high):.1f}"
    return percent(share) + (f" ({ends[0]} to {ends[1]})" if ends[0] != ends[1] else "")


def clock(seconds: Any) -> str:
    """A time as a planner says it.

    >>> [clock(value) for value in (42.4, 754, 9000, float("inf"), float("nan"))]
    ['42 s', '12.6 min', '2.5 h', 'not all', '–']
    """
    value = float(seconds)
    if np.isnan(value):
        return NONE
    if np.isinf(value):
        return "not all"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.1f} min" if value < 7200 else f"{value / 3600:.1f} h"
