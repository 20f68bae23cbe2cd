"""Rows of load profiles as bytes, many meters at once: no Python object per interval.

The forms are those of `dlms.buffers`, which says them value by value; a test holds both against each other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[Any]
Whole = Any
"""An int or a signed NumPy integer of 64 bits; unsigned ones would make differences floating."""

FULL, NULL_TIMESTAMPS, NULL_UNCHANGED, DELTA, COMPACT_ARRAY = range(5)

_NULL, _STRUCTURE, _OCTETS, _U8 = 0, 2, 9, 17
_DELTA_I8, _DELTA_I16, _DELTA_U8, _DELTA_U16 = 28, 29, 31, 32
_MOMENT_BYTES = 12


@njit(cache=True)
def _put(out: Array, at: int, value: int, n_bytes: int) -> int:
    """``value`` as big-endian bytes, two's complement where negative; registers, the most, without a loop."""
    if n_bytes == 4:
        out[at], out[at + 1] = (value >> 24) & 0xFF, (value >> 16) & 0xFF
        out[at + 2], out[at + 3] = (value >> 8) & 0xFF, value & 0xFF
        return at + 4
    for byte in range(n_bytes):
        out[at + byte] = (value >> (8 * (n_bytes - 1 - byte))) & 0xFF
    return at + n_bytes


@njit(cache=True)
def _put_moment(out: Array, at: int, moment: Array, tagged: bool) -> int:
    if tagged:
        out[at] = _OCTETS
        at += 1
    out[at] = _MOMENT_BYTES
    for byte in range(_MOMENT_BYTES):
        out[at + 1 + byte] = moment[byte]
    return at + 1 + _MOMENT_BYTES


@njit(cache=True)
def _put_delta(out: Array, at: int, step: int, n_bytes: int) -> int:
    """The narrowest delta type that holds ``step`` in less than ``n_bytes``; 0 where none does."""
    if n_bytes > 1 and 0 <= step < 2**8:
        tag, n_delta = _DELTA_U8, 1
    elif n_bytes > 1 and -(2**7) <= step < 0:
        tag, n_delta = _DELTA_I8, 1
    elif n_bytes > 2 and 0 <= step < 2**16:
        tag, n_delta = _DELTA_U16, 2
    elif n_bytes > 2 and -(2**15) <= step < 0:
        tag, n_delta = _DELTA_I16, 2
    else:
        return 0
    out[at] = tag
    return _put(out, at + 1, step, n_delta)


@njit(cache=True)
def _put_number(
    out: Array, at: int, value: Whole, before: Whole, first: bool, tag: int, n_bytes: int, form: int
) -> int:
    """One integer of a row: plain, null-data where it did not change, or as difference to the row before."""
    if form == COMPACT_ARRAY:
        return _put(out, at, value, n_bytes)
    if form == NULL_UNCHANGED and not first and value == before:
        out[at] = _NULL
        return at + 1
    if form == DELTA and not first:
        end = _put_delta(out, at, value - before, n_bytes)
        if end:
            return end
    out[at] = tag
    return _put(out, at + 1, value, n_bytes)


@njit(cache=True, nogil=True)
def write_buffers(
    out: Array,
    head: Array,
    moments: Array,
    moment_sent: Array,
    status: Array,
    values: Array,
    tags: Array,
    n_bytes: Array,
    form: int,
) -> Array:
    """The buffer of every meter, each into its own row of ``out``.

    Parameters
    ----------
    out : (n, capacity) uint8, written from the left; capacity must hold the longest form
    head : (n_head,) uint8 what stands before the rows: array or compact-array with types and lengths
    moments : (n_rows, 12) uint8 time of each row; no rows where rows carry no time
    moment_sent : (n_rows,) bool, false where null-data stands for the time
    status : (n, n_rows) uint8; (0, 0) where rows carry none
    values : (n, n_rows, n_channels) uint32
    tags, n_bytes : (n_channels,) int64 type of each channel's values, and its length
    form : one of the constants of this module

    Returns
    -------
    (n,) int64 bytes written per meter.
    """
    n, n_rows, n_channels = values.shape
    timed, judged = moments.shape[0] > 0, status.shape[0] > 0
    n_columns = n_channels + int(timed) + int(judged)
    length = np.zeros(n, np.int64)
    for meter in range(n):
        line = out[meter]
        line[: head.size] = head
        at = head.size
        for row in range(n_rows):
            first = row == 0
            if form != COMPACT_ARRAY:
                line[at], line[at + 1] = _STRUCTURE, n_columns
                at += 2
            if timed and moment_sent[row]:
                at = _put_moment(line, at, moments[row], form != COMPACT_ARRAY)
            elif timed:
                line[at] = _NULL
                at += 1
            if judged:
                before = np.int64(0) if first else np.int64(status[meter, row - 1])
                at = _put_number(line, at, np.int64(status[meter, row]), before, first, _U8, 1, form)
            for channel in range(n_channels):
                before = np.int64(0) if first else np.int64(values[meter, row - 1, channel])
                value, tag, size = np.int64(values[meter, row, channel]), tags[channel], n_bytes[channel]
                at = _put_number(line, at, value, before, first, tag, size, form)
        length[meter] = at
    return length


@njit(cache=True, nogil=True)
def write_messages(
    out: Array, start: Array, meter_start: Array, data: Array, length: Array, invoke: int, block_bytes: int
) -> None:
    """Each meter's data as GET-response-normal, or as numbered datablocks where it has more than one message.

    Parameters
    ----------
    out : (total,) uint8;  start : (n_messages + 1,) int64 first byte of each message
    meter_start : (n + 1,) int64 first message of each meter
    data : (n, capacity) uint8;  length : (n,) int64 bytes of it that count
    """
    for meter in range(length.size):
        n_messages = meter_start[meter + 1] - meter_start[meter]
        for number in range(n_messages):
            at = start[meter_start[meter] + number]
            out[at], out[at + 2] = 0xC4, invoke
            if n_messages == 1:
                out[at + 1], out[at + 3] = 1, 0
                out[at + 4 : at + 4 + length[meter]] = data[meter, : length[meter]]
                continue
            begin = number * block_bytes
            end = min(begin + block_bytes, length[meter])
            out[at + 1], out[at + 3] = 2, int(number == n_messages - 1)
            at = _put(out, at + 4, number + 1, 4)
            out[at] = 0
            at = _put_length(out, at + 1, end - begin)
            out[at : at + end - begin] = data[meter, begin:end]


@njit(cache=True)
def _put_length(out: Array, at: int, n: int) -> int:
    """A-XDR length: one byte below 128, else a byte that counts those that follow."""
    if n < 0x80:
        return _put(out, at, n, 1)
    n_bytes = 1 if n < 2**8 else 2 if n < 2**16 else 3
    out[at] = 0x80 | n_bytes
    return _put(out, at + 1, n, n_bytes)


@njit(cache=True, nogil=True)
def write_general_blocks(
    out: Array, start: Array, meter_start: Array, whole: Array, whole_start: Array, content_bytes: int, window: int
) -> None:
    """Each meter's whole APDU as it is where it is one message, else cut into general blocks.

    Parameters
    ----------
    out, start, meter_start : as in `write_messages`
    whole : (n_bytes,) uint8;  whole_start : (n + 1,) int64 where each meter's APDU begins
    content_bytes : most that one block carries;  window : blocks sent at once
    """
    for meter in range(meter_start.size - 1):
        n_messages = meter_start[meter + 1] - meter_start[meter]
        for number in range(1, n_messages + 1):
            at = start[meter_start[meter] + number - 1]
            begin, end = whole_start[meter], whole_start[meter + 1]
            if n_messages > 1:
                begin += (number - 1) * content_bytes
                end = min(end, begin + content_bytes)
                last = number == n_messages
                streaming = not last and number % window != 0
                out[at], out[at + 1] = 0xE0, window | (0x80 if last else 0) | (0x40 if streaming else 0)
                at = _put(out, at + 2, number, 2)
                at = _put(out, at, 0, 2)
                at = _put_length(out, at, end - begin)
            out[at : at + end - begin] = whole[begin:end]


@njit(cache=True, nogil=True)
def row_bytes(status: Array, values: Array, tags: Array, n_bytes: Array, timed: bool, form: int) -> Array:
    """(n, n_rows) int64 length of each row behind another one of the same array, its time left out.

    Parameters as in `write_buffers`; ``timed``: rows have a time. The first row's number means nothing.
    """
    n, n_rows, n_channels = values.shape
    scratch = np.zeros(8, np.uint8)
    length = np.zeros((n, n_rows), np.int64)
    for meter in range(n):
        for row in range(1, n_rows):
            at = 2 + int(timed)
            if status.shape[0] > 0:
                before = np.int64(status[meter, row - 1])
                at += _put_number(scratch, 0, np.int64(status[meter, row]), before, False, _U8, 1, form)
            for channel in range(n_channels):
                before, value = np.int64(values[meter, row - 1, channel]), np.int64(values[meter, row, channel])
                at += _put_number(scratch, 0, value, before, False, tags[channel], n_bytes[channel], form)
            length[meter, row] = at
    return length


@njit(cache=True, nogil=True)
def part_bytes(rows: Array, first_bytes: int, most_bytes: int) -> tuple[Array, Array]:
    """Lengths of the arrays that each meter's rows are cut into, each as long as ``most_bytes`` allows.

    Parameters
    ----------
    rows : (n, n_rows) int64 length of each row behind another;  first_bytes : of a row that begins an array

    Returns
    -------
    (n_parts,) int64 array with its tag and count, meter after meter;  (n,) int64 parts of each meter. A part of 0
    bytes stands where not even one row fits.
    """
    n, n_rows = rows.shape
    parts = np.zeros(n * n_rows, np.int64)
    count = np.zeros(n, np.int64)
    at = 0
    for meter in range(n):
        row = 0
        while row < n_rows:
            held, n_held = first_bytes, 1
            while row + n_held < n_rows:
                more = held + rows[meter, row + n_held]
                if more + _head_bytes(n_held + 1) > most_bytes:
                    break
                held, n_held = more, n_held + 1
            fits = held + _head_bytes(n_held) <= most_bytes
            parts[at] = held + _head_bytes(n_held) if fits else 0
            at, row = at + 1, row + n_held
            count[meter] += 1
    return parts[:at], count


@njit(cache=True)
def _head_bytes(n_rows: int) -> int:
    """Tag and count of an array."""
    return 2 if n_rows < 128 else 3 if n_rows < 256 else 4
