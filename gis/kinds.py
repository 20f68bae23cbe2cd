"""Kinds of customers: the words of the user's layer as the few kinds that a load is known for.

What stands for no kind (no word, or one that is not known) is a house, and is flagged.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

KINDS = ("house", "flat", "farm", "commercial", "public", "industrial", "other")
"""Kinds that the rest of the engine knows; `meters.load_shapes` has a load for each."""
DEFAULT_KIND = "house"
"""What a meter counts as whose kind is not told, or told by an unknown word."""

# fmt: off
SYNONYMS = {
    "house": ("residential", "domestic", "household", "dwelling", "detached", "single_family", "home", "villa"),
    "flat": ("apartment", "apartments", "multi_family", "condominium", "unit"),
    "farm": ("agricultural", "agriculture", "farmyard", "rural"),
    "commercial": ("business", "shop", "retail", "office", "trade", "sme", "non_residential", "hotel", "restaurant"),
    "public": ("school", "church", "municipal", "government", "hospital", "street_lighting"),
    "industrial": ("industry", "factory", "workshop"),
}
# fmt: on
N_SHOWN = 5
"""Words that a note names."""
_SYNONYM = {word for words in SYNONYMS.values() for word in words}
_KIND_OF = {word: kind for kind, words in SYNONYMS.items() for word in (kind, *words)} | {"other": "other"}


def known_kinds(words: Array) -> tuple[Array, Array]:
    """Kinds that the words of a layer mean, and which words are not known.

    Parameters
    ----------
    words : (n,) str, any case, spaces or hyphens for underscores; empty where the layer says nothing

    Returns
    -------
    (n,) kinds of ``KINDS``, ``DEFAULT_KIND`` where the word is empty or unknown; and (n,) bool: the word is unknown.
    """
    plain = [_plain(word) for word in words]
    kinds = np.array([_KIND_OF.get(word, DEFAULT_KIND) for word in plain], dtype=object)
    return kinds, np.array([bool(word) and word not in _KIND_OF for word in plain], dtype=bool)


def _plain(word: Any) -> str:
    return str(word).strip().lower().replace("-", "_").replace(" ", "_")


def kind_notes(words: Array) -> list[str]:
    """What to tell the user: words that are read as one of our kinds, and words that are not known."""
    told = [str(word).strip() for word in words]
    kinds, _ = known_kinds(words)
    read = Counter((name, kind) for name, kind in zip(told, kinds, strict=True) if _plain(name) in _SYNONYM)
    rows = sorted(read.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{count} {name!r} as {kind}" for (name, kind), count in rows[:N_SHOWN])
    more = f" and {len(rows) - N_SHOWN} more words" if len(rows) > N_SHOWN else ""
    lines = [f"Kinds of meters are read in our words: {shown}{more}."] if rows else []
    return lines + [line for line in [_unknown_note(words)] if line]


def _unknown_note(words: Array) -> str:
    """The sentence on words that are not known; empty where all are."""
    _, unknown = known_kinds(words)
    if not unknown.any():
        return ""
    names = sorted({str(word).strip() for word in np.asarray(words)[unknown]})
    shown = ", ".join(repr(name) for name in names[:N_SHOWN])
    shown += f" and {len(names) - N_SHOWN} more" if len(names) > N_SHOWN else ""
    return (
        f"{int(unknown.sum())} of {len(unknown)} meters are of an unknown kind ({shown}) and count as {DEFAULT_KIND}; "
        f"known are {', '.join(KINDS)}."
    )
