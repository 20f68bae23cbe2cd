"""Kinds of customers: the words of the user's layer as the few kinds that a load is known for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

KINDS = ("house", "flat", "farm", "commercial", "public", "industrial", "other")
"""Kinds that the rest of the engine knows; `meters.load_shapes` has a load for each."""
OTHER = "other"

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
_KIND_OF = {word: kind for kind, words in SYNONYMS.items() for word in (kind, *words)} | {OTHER: OTHER}


def known_kinds(words: Array) -> tuple[Array, Array]:
    """Kinds that the words of a layer mean, and which words are not known.

    Parameters
    ----------
    words : (n,) str, any case, spaces or hyphens for underscores; empty where the layer says nothing

    Returns
    -------
    (n,) kinds of ``KINDS``, empty where the word is; and (n,) bool: the word is unknown and counts as ``other``.
    """
    plain = np.array([str(word).strip().lower().replace("-", "_").replace(" ", "_") for word in words], dtype=object)
    kinds = np.array([_KIND_OF.get(word, OTHER) if word else "" for word in plain], dtype=object)
    unknown = np.array([bool(word) and word not in _KIND_OF for word in plain], dtype=bool)
    return kinds, unknown


def unknown_kinds_note(words: Array) -> str:
    """What to tell the user about words that are not known; empty where all are."""
    _, unknown = known_kinds(words)
    if not unknown.any():
        return ""
    names = sorted({str(word).strip() for word in np.asarray(words)[unknown]})
    shown = ", ".join(repr(name) for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return (
        f"{int(unknown.sum())} meters are of an unknown kind ({shown}): they are used and flagged, with the load of "
        f"{OTHER!r}; known are {', '.join(KINDS)}."
    )
