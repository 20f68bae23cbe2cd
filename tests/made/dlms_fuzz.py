"""Damaged messages against everything that decodes: what each target may raise, and what it never may.

A target takes bytes and either returns or raises ValueError (`SecurityError` is one). Anything else, a call of more
than a second or memory out of proportion is a fault. Cases follow from (target, batch), so that any failure repeats.
"""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from amiplan.meters.dlms import acse, apdu, axdr, blocks, buffers, hdlc, initiate, wrapper
from amiplan.meters.dlms.hdlc import FrameReader
from amiplan.meters.dlms.security import Channel, Keys
from mutations import mutated

BATCH = 250
SLOW_S = 1.0
MOST_GROWTH_MB = 300.0
CORPUS = Path(__file__).resolve().parents[1] / "data" / "dlms_corpus"


@dataclass(frozen=True)
class Target:
    """What is attacked; ``share`` of all cases go to it.

    seeds : good messages;  open : makes what takes the messages of one batch
    refuses : whether it may raise ValueError; where not, it may raise nothing at all
    """

    name: str
    share: float
    seeds: tuple[bytes, ...]
    open: Callable[[], Callable[[bytes], object]]
    refuses: bool = True


@dataclass(frozen=True)
class Fault:
    """A case that must not be: what happened, and the bytes."""

    target: str
    what: str
    message: bytes

    def __str__(self) -> str:
        return f"{self.target}: {self.what} on {self.message[:400].hex()}{'...' if len(self.message) > 400 else ''}"


def corpus() -> list[bytes]:
    """The messages of tests/data/dlms_corpus: one line of hex each, comments behind ``#``."""
    lines = [line.split("#")[0].strip() for path in sorted(CORPUS.glob("*.hex")) for line in path.open()]
    return [bytes.fromhex(line) for line in lines if line]


def codec_targets(messages: Sequence[bytes], frames: Sequence[bytes]) -> list[Target]:
    """Every decoder, fed with APDUs and frames of real conversations."""
    apdus = tuple(messages)
    values = tuple(one[4:] for one in apdus if one[:2] == b"\xc4\x01") or (b"\x01\x01\x06\x00\x00\x00\x01",)
    keys = Keys(bytes(16), bytes(range(16)))
    plain = Channel(keys, b"AMPHEAD0", b"AMPMETER")
    sealed = tuple(plain.seal_as("general_glo", one) for one in apdus[:40])
    general = tuple(blocks.encode(one) for whole in apdus[:40] for one in blocks.cut(whole, 64, 3))
    wrapped = tuple(wrapper.pack(1, 16, one) for one in apdus if len(one) < 2**16)
    initiates = (
        acse.encode_initiate(acse.Initiate(acse.OFFERED, 1024)),
        acse.encode_initiate(acse.Initiate(acse.OFFERED, 1024, response=True)),
    )

    def always(run: Callable[[bytes], object]) -> Callable[[], Callable[[bytes], object]]:
        return lambda: run

    def expanded(message: bytes) -> object:
        return buffers.expand_rows(axdr.decode(message), 900)

    def opened(message: bytes) -> object:
        return Channel(keys, b"AMPMETER", b"AMPHEAD0").open(message)

    def frame_reader() -> Callable[[bytes], object]:
        reader = FrameReader()
        return lambda message: [hdlc.unpack(one) for one in reader.feed(message)]

    def wrapper_reader(message: bytes) -> object:
        return wrapper.WrapperReader().feed(message)

    return [
        Target("axdr.decode", 1.0, values, always(axdr.decode)),
        Target("buffers.expand_rows", 1.0, values, always(expanded)),
        Target("apdu.decode", 2.0, apdus, always(apdu.decode)),
        Target("acse.decode", 1.0, apdus, always(acse.decode)),
        Target("acse.decode_release", 0.3, apdus, always(acse.decode_release)),
        Target("initiate.decode", 0.5, initiates, always(initiate.decode_initiate)),
        Target("blocks.decode", 0.5, general, always(blocks.decode)),
        Target("security.open", 1.0, sealed, always(opened)),
        Target("hdlc.unpack", 1.0, tuple(frames), always(hdlc.unpack)),
        Target("hdlc.FrameReader", 1.0, tuple(frames), frame_reader),
        Target("wrapper.unpack", 0.3, wrapped, always(wrapper.unpack)),
        Target("wrapper.WrapperReader", 0.5, wrapped, always(wrapper_reader)),
    ]


def batch(target: Target, number: int, n_cases: int = BATCH) -> list[Fault]:
    """Faults among ``n_cases`` cases of one batch of a target."""
    rng = random.Random(f"{target.name}/{number}")
    messages = [mutated(rng, target.seeds) for _ in range(n_cases)]
    run, faults = target.open(), []
    _forget_peak()
    before_mb, begin_s = _peak_mb(), time.process_time()
    for message in messages:
        fault = tried(target, run, message)
        if fault:
            faults.append(fault)
    if time.process_time() - begin_s > SLOW_S:
        faults += _slow_ones(target, messages)
    grown_mb = _peak_mb() - before_mb
    if grown_mb > MOST_GROWTH_MB:
        faults.append(Fault(target.name, f"memory grew by {grown_mb:.0f} MB in batch {number}", b""))
    return faults


def tried(target: Target, run: Callable[[bytes], object], message: bytes) -> Fault | None:
    """The fault that one message brings about, if any."""
    try:
        run(message)
    except ValueError as refused:
        if isinstance(refused, UnicodeError) or not target.refuses:
            return Fault(target.name, repr(refused), message)
    except Exception as other:
        return Fault(target.name, repr(other), message)
    return None


def _slow_ones(target: Target, messages: list[bytes]) -> list[Fault]:
    """Which single calls, each repeated from the start of the batch, take too long."""
    run, faults = target.open(), []
    for message in messages:
        begin_s = time.process_time()
        tried(target, run, message)
        spent_s = time.process_time() - begin_s
        if spent_s > SLOW_S:
            faults.append(Fault(target.name, f"took {spent_s:.1f} s", message))
    return faults


def _forget_peak() -> None:
    """Let the peak begin anew, where the system can: else what ran before in this process would hide what grows now."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def plan(targets: Sequence[Target], n_cases: int) -> list[tuple[int, int]]:
    """(target, batch) pairs that make ``n_cases`` at least, by share."""
    whole = sum(one.share for one in targets)
    pairs = []
    for index, target in enumerate(targets):
        n_batches = max(1, -(-int(n_cases * target.share / whole) // BATCH))
        pairs += [(index, number) for number in range(n_batches)]
    return pairs
