"""Damaged bytes, reproducible from a seed: what noise, truncation and malice make of real messages."""

from __future__ import annotations

import random
from collections.abc import Sequence

LENGTHS = (
    b"\x00", b"\x7f", b"\x80", b"\x81\xff", b"\x82\xff\xff", b"\x83\xff\xff\xff", b"\x84\xff\xff\xff\xff",
    b"\x84\x7f\xff\xff\xff", b"\x88" + b"\xff" * 8, b"\xff",
)  # fmt: skip
"""Length fields that announce more, or less, than there is."""
TAGS = bytes(range(0, 32)) + b"\x60\x61\x62\x63\xc0\xc1\xc3\xc4\xc5\xc7\xc8\xcc\xcf\xd8\xdb\xdc\xe0\x7e\xe6"
LONGEST_BYTES = 70_000


def mutated(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One message of ``seeds`` after one to four accidents."""
    data = bytearray(rng.choice(seeds))
    for _ in range(1 + (rng.random() < 0.4) + (rng.random() < 0.2) + (rng.random() < 0.1)):
        rng.choice(ACCIDENTS)(rng, data, seeds)
    return bytes(data[:LONGEST_BYTES])


def _at(rng: random.Random, data: bytearray) -> int:
    return int(rng.random() * len(data)) if data else 0


def _flip(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if data:
        data[_at(rng, data)] ^= 1 << rng.getrandbits(3)


def _set(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    if data:
        data[_at(rng, data)] = rng.choice(TAGS) if rng.random() < 0.5 else rng.getrandbits(8)


def _insert(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = _at(rng, data)
    data[at:at] = rng.randbytes(1 + rng.getrandbits(3))


def _delete(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = _at(rng, data)
    del data[at : at + 1 + rng.getrandbits(3)]


def _truncate(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    del data[_at(rng, data) :]


def _splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    other = rng.choice(seeds)
    data[_at(rng, data) :] = other[_at(rng, bytearray(other)) :]


def _announce(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = _at(rng, data)
    data[at : at + 1] = rng.choice(LENGTHS)


def _double(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    data += data[: LONGEST_BYTES - len(data)]


def _repeat(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    """A short stretch many times: deep nesting, endless lists."""
    at = _at(rng, data)
    piece = data[at : at + 1 + rng.getrandbits(2)]
    data[at:at] = piece * rng.choice((4, 40, 400))


def _nest(rng: random.Random, data: bytearray, seeds: Sequence[bytes]) -> None:
    at = _at(rng, data)
    data[at:at] = rng.choice(
        (b"\x01\x01", b"\x02\x01", b"\x02\x02", b"\x01\x82\xff\xff", b"\x13\x01\x00")
    ) * rng.choice((1, 8, 100))


ACCIDENTS = (_flip, _flip, _set, _set, _insert, _delete, _truncate, _splice, _announce, _double, _repeat, _nest)
