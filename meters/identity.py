"""Titles and keys of simulated meters: made from the seed and the stable key, for simulation only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dlms.security import SUITES, Keys

Array = NDArray[Any]


def derived(seed: int, key: int, purpose: str, n_bytes: int = 16) -> bytes:
    """Bytes that depend on (seed, stable key, purpose) only; any two differ in all of them."""
    return hashlib.blake2b(f"{seed}/{key}/{purpose}".encode(), digest_size=n_bytes).digest()


def title_of(key: int, seed: int = 0) -> bytes:
    """System title of a meter, 8 bytes: AMP and five of its own."""
    return b"AMP" + derived(seed, key, "title")[:5]


def keys_of(key: int, seed: int = 0, suite: int = 0) -> Keys:
    """Encryption and authentication key of a meter, as long as the suite wants them."""
    n_bytes = SUITES[suite]
    return Keys(derived(seed, key, "encryption", n_bytes), derived(seed, key, "authentication", n_bytes), suite)


@dataclass(frozen=True)
class Identities:
    """Titles and keys of many meters, one row each.

    titles : (n, 8) uint8;  encryption, authentication : (n, 16 or 32) uint8;  suite : 0, 1 or 2
    """

    titles: Array
    encryption: Array
    authentication: Array
    suite: int = 0

    def __getitem__(self, rows: slice | Array) -> Identities:
        """Those of some meters."""
        return Identities(self.titles[rows], self.encryption[rows], self.authentication[rows], self.suite)


def identities_of(keys: Array, seed: int = 0, suite: int = 0) -> Identities:
    """Titles and keys of meters with these stable keys: (n,) uint64; row by row those of `title_of` and `keys_of`.

    >>> identities_of(np.array([7], np.uint64)).titles.tobytes() == title_of(7)
    True
    """
    whole = [int(key) for key in keys]
    n_bytes = SUITES[suite]
    return Identities(
        _rows([title_of(key, seed) for key in whole], 8),
        _rows([derived(seed, key, "encryption", n_bytes) for key in whole], n_bytes),
        _rows([derived(seed, key, "authentication", n_bytes) for key in whole], n_bytes),
        suite,
    )


def _rows(secrets: list[bytes], n_bytes: int) -> Array:
    return np.frombuffer(b"".join(secrets), np.uint8).reshape(-1, n_bytes)
