"""Whatever arrives is decoded, or refused by a ValueError: 100 000 damaged messages here, 10^7 in `make verify`.

What ever got through is kept in tests/data/dlms_corpus and belongs to the seeds.
"""

from __future__ import annotations

import os
import sys
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache

import dlms_fuzz
import meter_fuzz
import pytest
from amiplan.meters.dlms import axdr, buffers
from dlms_fuzz import BATCH, Target
from mutations import LENGTHS

pytestmark = pytest.mark.slow

N_TEST, N_VERIFY = 100_000, 10_000_000
VERIFY_FROM = 10_000
"""First batch of `make verify`, so that it repeats nothing of the quick test."""


@lru_cache(maxsize=1)
def targets() -> list[Target]:
    asked, heard = meter_fuzz.said()
    messages = (*asked, *heard)
    codec = dlms_fuzz.codec_targets(messages, meter_fuzz.frames_of(messages))
    return [*codec, *meter_fuzz.meter_targets(), *meter_fuzz.head_end_targets()]


def faults_of(task: tuple[int, int]) -> list[dlms_fuzz.Fault]:
    index, number = task
    return dlms_fuzz.batch(targets()[index], number)


@pytest.mark.parametrize("index", range(len(targets())), ids=[one.name for one in targets()])
def test_damaged_messages_are_refused_and_nothing_else(index: int) -> None:
    tasks = [task for task in dlms_fuzz.plan(targets(), N_TEST) if task[0] == index]
    faults = [fault for task in tasks for fault in faults_of(task)]
    assert not faults, "\n".join(str(one) for one in faults[:5])


@pytest.mark.parametrize("message", dlms_fuzz.corpus(), ids=lambda message: message[:8].hex())
def test_what_once_got_through_does_so_no_more(message: bytes) -> None:
    for target in targets():
        run = target.open()
        fault = dlms_fuzz.tried(target, run, message)
        assert fault is None, str(fault)


@pytest.mark.parametrize("length", LENGTHS, ids=lambda length: length.hex())
@pytest.mark.parametrize(
    "head", [b"\x01", b"\x02", b"\x04", b"\x09", b"\x13\x06", b"\x13\x02\x01\x00", b"\x01\x01\x02"]
)
def test_announced_lengths_cost_no_memory(head: bytes, length: bytes) -> None:
    for tail in (b"", bytes(2000), b"\x01" * 2000):
        message = head + length + tail
        assert peak_bytes(message) < 200_000 + 2000 * len(message), message[:40].hex()


def peak_bytes(message: bytes) -> int:
    tracemalloc.start()
    try:
        buffers.expand_rows(axdr.decode(message), 900)
    except ValueError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def test_the_harness_finds_what_it_is_there_for() -> None:
    """A decoder with an index error, one that never ends and one that eats memory do not go unnoticed."""

    def indexes(message: bytes) -> object:
        return message[40]

    def dawdles(message: bytes) -> object:
        begin_s = time.process_time()
        while len(message) > 3 and time.process_time() - begin_s < 1.2:
            pass
        return None

    def swallows(message: bytes) -> object:
        return bytearray(400 * 2**20) and b"".join([bytes(400 * 2**20)])[:1]

    whats = []
    # an earlier and larger peak of this process hides nothing
    assert len(b"x" * (1200 * 2**20))
    for name, run in (("indexes", indexes), ("dawdles", dawdles), ("swallows", swallows)):
        target = Target(name, 1.0, (b"\x01\x02\x03\x04",), lambda run=run: run)  # type: ignore[misc]
        whats.append([fault.what for fault in dlms_fuzz.batch(target, 0, 2 if name != "indexes" else 40)])
    assert any("IndexError" in one for one in whats[0])
    assert any("took" in one for one in whats[1])
    assert any("memory grew" in one for one in whats[2])


@pytest.mark.verification
def test_ten_million_damaged_messages() -> None:
    tasks = [(index, VERIFY_FROM + number) for index, number in dlms_fuzz.plan(targets(), N_VERIFY)]
    begin_s, n_done, faults = time.monotonic(), 0, []
    with ProcessPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for found in pool.map(faults_of, tasks, chunksize=20):
            faults += found
            n_done += BATCH
            if n_done % (BATCH * 2000) == 0:
                print(f"{n_done:,} cases, {len(faults)} faults, {time.monotonic() - begin_s:.0f} s", file=sys.stderr)
    assert n_done >= N_VERIFY
    assert not faults, "\n".join(str(one) for one in faults[:20])
