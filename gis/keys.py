"""Stable keys: who a meter, transformer or site is, whatever the order of the rows it came in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

PLACES_PER_METRE = 1000


def text_key(text: str) -> int:
    """Stable 64-bit key of a text (blake2b, 8 bytes, little endian): the scheme of all draws of the product.

    >>> text_key("meter-1") == text_key("meter-1") != text_key("meter-2")
    True
    """
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def text_keys(texts: Sequence[str] | Array) -> Array:
    """(n,) uint64 keys of (n,) texts."""
    return np.array([text_key(str(text)) for text in texts], dtype=np.uint64)


def place_texts(x_m: Array, y_m: Array) -> Array:
    """(n,) texts that name a place to 1 mm, from coordinates in the working CRS [m]."""
    east = np.rint(np.asarray(x_m, dtype=float) * PLACES_PER_METRE).astype(np.int64)
    north = np.rint(np.asarray(y_m, dtype=float) * PLACES_PER_METRE).astype(np.int64)
    return np.array([f"{e}/{n}" for e, n in zip(east.tolist(), north.tolist(), strict=True)], dtype=object)


def place_ids(prefix: str, x_m: Array, y_m: Array) -> Array:
    """(n,) texts to make stable keys of, from places to 1 mm; equal places are numbered apart.

    >>> import numpy as np
    >>> len(set(place_ids("b", np.array([1.0, 1.0]), np.array([2.0, 2.0]))))
    2
    """
    places = place_texts(x_m, y_m)
    ids = np.array([f"{prefix}{text_key(place):016x}"[: len(prefix) + 10] for place in places], dtype=object)
    return numbered_apart(ids)


def place_names(word: str, x_m: Array, y_m: Array) -> Array:
    """(n,) names of things the user gave no id, by their place to 1 m as a map shows it; equal ones are numbered apart.

    >>> import numpy as np
    >>> place_names("building", np.array([682134.2]), np.array([5543210.4])).tolist()
    ['building 682134E 5543210N']
    """
    east, north = (np.rint(np.asarray(values, dtype=float)).astype(np.int64).tolist() for values in (x_m, y_m))
    return numbered_apart(np.array([f"{word} {e}E {n}N" for e, n in zip(east, north, strict=True)], dtype=object))


def numbered_apart(ids: Array) -> Array:
    """(n,) ids with ``#2``, ``#3`` ... appended to repetitions, in row order."""
    seen: dict[str, int] = {}
    result = []
    for text in ids:
        seen[text] = seen.get(text, 0) + 1
        result.append(text if seen[text] == 1 else f"{text}#{seen[text]}")
    return np.array(result, dtype=object)


def keyed_uniform(purpose: str, seed: int, keys: Array) -> Array:
    """(n,) numbers in (0, 1), one per key, the same for the same (purpose, seed, key); no global generator.

    The finaliser of SplitMix64 over key and purpose (Steele, Lea, Flood, OOPSLA 2014, fig. 17).
    """
    stream = np.uint64(text_key(f"{seed}/{purpose}"))
    with np.errstate(over="ignore"):
        z = (np.asarray(keys, dtype=np.uint64) ^ stream) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return ((z >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
