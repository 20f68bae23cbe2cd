"""What whole fleets answer: the same bytes as `device.server` says meter by meter, made by vectorised templates.

A template knows where the numbers of a meter stand in its answer; everything else is alike. `fleet_check.agreed` holds
templates and real meters against each other in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import fleet_kernels as kernels
from .dlms import apdu, blocks, security
from .fleet_data import CHUNK_METERS, Readings, answer_data, chunks, readings_of
from .identity import Identities, identities_of
from .settings import ServiceSettings

Array = NDArray[Any]

INVOKE = 0xC1
"""Invoke identification and priority of a head end's first request."""

_RESPONSE_BYTES = 4
"""Tag, kind, invoke and choice before the data of a GET-response-normal."""


@dataclass(frozen=True)
class Answers:
    """The messages of many meters, one after another.

    content : (n_bytes,) uint8
    start : (n_messages + 1,) int64 first byte of each message
    meter_start : (n + 1,) int64 first message of each meter
    """

    content: Array
    start: Array
    meter_start: Array

    def of(self, meter: int) -> list[bytes]:
        """The messages of one meter, in order."""
        rows = range(self.meter_start[meter], self.meter_start[meter + 1])
        return [self.content[self.start[row] : self.start[row + 1]].tobytes() for row in rows]


@dataclass(frozen=True)
class Lengths:
    """How long the messages of many meters are.

    bytes : (n_messages,) int64 APDU with its ciphering [B];  meter_start : (n + 1,) int64 first message of each meter
    """

    bytes: Array
    meter_start: Array


@dataclass(frozen=True)
class _Cut:
    """Messages: (n_messages,) lengths, (n + 1,) first message of each meter, data of one block."""

    bytes: Array
    meter_start: Array
    block_bytes: int

    @property
    def start(self) -> Array:
        """(n_messages + 1,) int64 first byte of each message."""
        return np.concatenate([[0], np.cumsum(self.bytes)]).astype(np.int64)


def _sealed_bytes(n_plain: Array, settings: ServiceSettings) -> Array:
    """`security.sealed_bytes` over an array of lengths, each different one computed once."""
    if not settings.ciphered:
        return n_plain
    general, bits = settings.ciphering == "general_glo", settings.protection_bits
    return _of_each(n_plain, lambda n: security.sealed_bytes(n, general=general, protection=bits))


def _of_each(numbers: Array, function: Callable[[int], int]) -> Array:
    known, row = np.unique(numbers, return_inverse=True)
    return np.array([function(int(one)) for one in known], np.int64)[row]


def _plain_cut(length: Array, settings: ServiceSettings) -> _Cut:
    """One message where it keeps to the limit, ciphering included; else as many datablocks as needed."""
    whole_bytes = length + _RESPONSE_BYTES
    if settings.block_transfer == "general":
        return _Cut(whole_bytes, np.arange(length.size + 1), 0)
    block = largest_block_bytes(settings)
    whole = _sealed_bytes(whole_bytes, settings) <= settings.max_pdu_bytes
    return _pieces(length, np.where(whole, whole_bytes, 0), block, apdu.block_bytes)


def _general_cut(length: Array, settings: ServiceSettings) -> _Cut:
    """Finished APDUs as they are, or as general blocks where they are longer than the limit."""
    limit = settings.max_pdu_bytes
    content = blocks.largest_content_bytes(limit)
    return _pieces(length, np.where(length <= limit, length, 0), content, blocks.general_block_bytes)


def _pieces(length: Array, whole_bytes: Array, piece_bytes: int, framed: Callable[[int], int]) -> _Cut:
    """Messages of meters whose data go whole (then ``whole_bytes`` is not 0), or in pieces."""
    n_messages = np.where(whole_bytes > 0, 1, -(-length // piece_bytes))
    meter_start = np.concatenate([[0], np.cumsum(n_messages)]).astype(np.int64)
    n_bytes = np.full(meter_start[-1], framed(piece_bytes), np.int64)
    last_bytes = _of_each(length - (n_messages - 1) * piece_bytes, framed)
    n_bytes[meter_start[1:] - 1] = np.where(whole_bytes > 0, whole_bytes, last_bytes)
    return _Cut(n_bytes, meter_start, piece_bytes)


@lru_cache(maxsize=64)
def largest_block_bytes(settings: ServiceSettings) -> int:
    """Most data that one datablock may carry so that its APDU, ciphered as set, keeps to ``max_pdu_bytes``.

    >>> largest_block_bytes(ServiceSettings(max_pdu_bytes=512))
    479
    """
    for n_data in range(settings.max_pdu_bytes, 0, -1):
        if int(_sealed_bytes(np.array([apdu.block_bytes(n_data)]), settings)[0]) <= settings.max_pdu_bytes:
            return n_data
    raise ValueError(f"max_pdu_bytes = {settings.max_pdu_bytes} is too short for a block: raise it")


def answer_lengths(service: str, readings: Readings, settings: ServiceSettings) -> Lengths:
    """Lengths of the APDUs that answer one service, without making them; parameters and errors as `answer_data`."""
    cut = _plain_cut(answer_data(service, readings, settings)[1], settings)
    sealed = _sealed_bytes(cut.bytes, settings)
    if settings.block_transfer == "general":
        cut = _general_cut(sealed, settings)
        return Lengths(cut.bytes, cut.meter_start)
    return Lengths(sealed, cut.meter_start)


def answer_bytes(
    service: str,
    readings: Readings,
    settings: ServiceSettings,
    identities: Identities | None = None,
    *,
    first_counter: int = 1,
    invoke: int = INVOKE,
) -> Answers:
    """The APDUs that answer one service, ciphered where the settings ask for it; no framing.

    Parameters
    ----------
    identities
        Titles and keys of the meters, in the same order; needed where a suite is set.
    first_counter
        Invocation counter of each meter's first message; the following count up.
    invoke
        Invoke identification and priority of the request that is answered.

    Returns
    -------
    Answers. Raises ValueError as `answer_data`, or where keys are needed and missing.
    """
    data, length = answer_data(service, readings, settings)
    cut = _plain_cut(length, settings)
    content = np.empty(cut.bytes.sum(), np.uint8)
    kernels.write_messages(content, cut.start, cut.meter_start, data, length, invoke, cut.block_bytes)
    answers = Answers(content, cut.start, cut.meter_start)
    if settings.ciphered:
        if identities is None or identities.suite != settings.suite or len(identities.titles) != length.size:
            raise ValueError(f"{settings.security} needs keys: pass the identities of these {length.size} meters")
        answers = _sealed(answers, settings, identities, first_counter)
    return _in_general_blocks(answers, settings) if settings.block_transfer == "general" else answers


def _sealed(plain: Answers, settings: ServiceSettings, identities: Identities, first_counter: int) -> Answers:
    """The same messages ciphered, each meter's counters counting up."""
    n_messages = np.diff(plain.meter_start)
    meter = np.repeat(np.arange(n_messages.size), n_messages)
    counter = (first_counter + np.arange(meter.size) - plain.meter_start[meter]).astype(np.uint32)
    content, start = security.seal_ragged(
        plain.content,
        plain.start,
        identities.encryption[meter],
        identities.authentication[meter],
        identities.titles[meter],
        counter,
        general=settings.ciphering == "general_glo",
        protection=settings.protection_bits,
        suite=settings.suite,
    )
    return Answers(content, start, plain.meter_start)


def _in_general_blocks(whole: Answers, settings: ServiceSettings) -> Answers:
    """One finished APDU a meter, cut where it is too long; an HDLC line takes one block at a time."""
    cut = _general_cut(np.diff(whole.start), settings)
    window = settings.general_window if settings.framing == "wrapper" else 1
    content = np.empty(cut.bytes.sum(), np.uint8)
    kernels.write_general_blocks(
        content, cut.start, cut.meter_start, whole.content, whole.start, cut.block_bytes, window
    )
    return Answers(content, cut.start, cut.meter_start)


def stream(
    keys: Array,
    kind: Array,
    day: int,
    settings: ServiceSettings,
    seed: int = 0,
    *,
    service: str = "profile",
    start: Array | None = None,
    chunk_meters: int = CHUNK_METERS,
) -> Iterator[Answers]:
    """The answers of any number of meters to one service, chunk by chunk in order; parameters as `readings_of`."""
    for rows in chunks(len(keys), chunk_meters):
        first = None if start is None else start[rows]
        readings = readings_of(keys[rows], kind[rows], day, settings, seed, first, service=service)
        identities = identities_of(keys[rows], seed, settings.suite) if settings.ciphered else None
        yield answer_bytes(service, readings, settings, identities)
