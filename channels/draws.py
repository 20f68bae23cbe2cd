"""Random draws that depend on what they are for, never on the order in which they are taken.

Every draw is a hash of (seed, purpose, replication, stable key). Adding a meter, shuffling rows, or running
cells on other workers therefore changes no other draw, and two technologies compared in one study see the same
buildings, enclosures and fading.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[Any]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def mix(values: Array) -> Array:
    """Scramble 64-bit integers one to one (the finaliser of SplitMix64).

    Parameters
    ----------
    values : (n,) uint64

    Returns
    -------
    (n,) uint64, every bit depending on every input bit.

    References
    ----------
    G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, fig. 17.
    """
    with np.errstate(over="ignore"):
        z = np.asarray(values, dtype=np.uint64) + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _MIX_1
        z = (z ^ (z >> np.uint64(27))) * _MIX_2
        return np.asarray(z ^ (z >> np.uint64(31)))


def text_key(text: str) -> int:
    """Stable 64-bit key of a text, such as the user's own meter id."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def pair_key(first: Array, second: Array) -> Array:
    """One key per unordered pair of keys: the two ends of a link share their shadowing.

    >>> import numpy as np
    >>> a, b = np.array([7], np.uint64), np.array([9], np.uint64)
    >>> bool(pair_key(a, b)[0] == pair_key(b, a)[0])
    True
    """
    low, high = np.minimum(first, second), np.maximum(first, second)
    return mix(mix(low) ^ np.asarray(high, dtype=np.uint64))


@dataclass(frozen=True)
class Draws:
    """The random numbers of one replication of one study.

    seed, replication
        Whole numbers; both enter every draw.
    """

    seed: int
    replication: int = 0

    def uniform(self, purpose: str, keys: Array) -> Array:
        """One number in (0, 1) per key, the same for the same (seed, purpose, replication, key).

        Parameters
        ----------
        purpose : str
            What the draw is for, such as ``"shadowing"``; two purposes are independent.
        keys : (n,) uint64
            Stable keys of meters, pairs or sites.
        """
        stream = np.uint64(text_key(f"{self.seed}/{self.replication}/{purpose}"))
        bits = mix(np.asarray(keys, dtype=np.uint64) ^ stream) >> np.uint64(11)
        return (bits.astype(np.float64) + 0.5) * 2.0**-53

    def normal(self, purpose: str, keys: Array) -> Array:
        """One standard normal number per key, shape (n,)."""
        return np.asarray(ndtri(self.uniform(purpose, keys)))

    def generator(self, purpose: str) -> np.random.Generator:
        """A sequential generator for event-by-event simulation of one cell, named by ``purpose``."""
        return np.random.default_rng(text_key(f"{self.seed}/{self.replication}/{purpose}"))


@dataclass(frozen=True)
class MedianDraws(Draws):
    """The middle of every distribution instead of a draw: what a link would be without luck either way."""

    seed: int = 0

    def uniform(self, purpose: str, keys: Array) -> Array:
        """One half for every key."""
        return np.full(np.shape(keys), 0.5)
