"""Legs of PRIME as frames: segments and words over all hops, what each costs and how often it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...technology import UP, Exchanges, Routes
from .collisions import Collisions
from .framing import segment_count
from .hops import Hops, hop_airtime_s, hop_loss
from .settings import DATA_PRIORITY, LLC_BYTES, PrimeMac

Array = NDArray[Any]
Met = Callable[[bool], Array]
"""Mean number of control frames that destroy a frame on each hop; whether it goes in the most robust mode."""


@dataclass(frozen=True)
class Sent:
    """Repetition of one segment, (n,) columns: whether in the end, how often, and vain tries before it got through.

    success : in one of the tries;  starts : mean number of tries, until the sender knows or gives up
    vain, vain_2 : mean and variance of the tries in vain, where it got through
    """

    success: Array
    starts: Array
    vain: Array
    vain_2: Array


def _repeated(passes: Array, known: Array, tries: int) -> Sent:
    """A segment that gets through a try with ``passes`` and is known to have with ``known``."""
    again = np.arange(tries)
    vain = (1 - passes[:, None]) ** again * passes[:, None]
    success = vain.sum(1)
    some = np.where(success > 0, success, 1.0)
    mean = (vain * again).sum(1) / some
    square = (vain * again**2).sum(1) / some
    starts = ((1 - known[:, None]) ** again).sum(1)
    return Sent(success, starts, mean, np.maximum(square - mean**2, 0))


@dataclass(frozen=True)
class Way:
    """One kind of frame over all hops of some ways.

    air_s, line_s : (n, n_hops) airtime, and mean line time of one start, which ends where a hop loses the frame [s]
    bytes : of the frame;  late_s : (n,) what stale hops above the meter's own add to the time on the whole way [s]
    passes : (n,) probability that it gets to the far end;  frames : (n,) mean frames of one start
    """

    bytes: int
    air_s: Array
    line_s: Array
    late_s: Array
    passes: Array
    frames: Array

    @classmethod
    def of(cls, mac: PrimeMac, hops: Hops, way: int, psdu_bytes: int, stale: Array, met: Met) -> Way:
        """Frames of one size, of which ``stale`` (n, n_hops) go in the most robust mode.

        ``met`` tells how many control frames destroy one on each hop, in that mode or not; with probability exp(-met)
        there is none.
        """

        def passes(robust: bool) -> Array:
            lost = hop_loss(mac, hops, way, psdu_bytes, robust=robust)
            return np.asarray((1 - lost) * np.exp(-met(robust)))

        kept, air_s = passes(False), hop_airtime_s(mac, hops, way, psdu_bytes)
        late_s = np.zeros_like(air_s)
        if stale.any():
            kept = kept + stale * (passes(True) - kept)
            late_s = stale * _longer_s(mac, air_s, hop_airtime_s(mac, hops, way, psdu_bytes, robust=True))
        kept = kept if way == UP else kept[:, ::-1]
        begun = np.concatenate([np.ones((len(kept), 1)), np.cumprod(kept, 1)[:, :-1]], axis=1)
        begun = (begun if way == UP else begun[:, ::-1]) * hops.there
        # downwards the padding beyond the base node comes first and passes everything
        busy_s = begun * (air_s + late_s + mac.senses_s) * mac.frame_s / mac.scp_s
        return cls(psdu_bytes, air_s, busy_s, late_s[:, 1:].sum(1), np.prod(kept, axis=1), begun.sum(1))


def _longer_s(mac: PrimeMac, air_s: Array, robust_s: Array) -> Array:
    """How much longer frames take that last ``robust_s`` instead of ``air_s`` and begin anywhere [s].

    One that needs d finds no room with probability (F - L + d) / F and then waits for half of F - L + d in the mean, F
    and L being the MAC frame and its contention period.
    """
    beyond_s = mac.frame_s - mac.scp_s + mac.mean_backoff_s(DATA_PRIORITY) + mac.senses_s
    waits_s = [(beyond_s + one) ** 2 / (2 * mac.frame_s) for one in (robust_s, air_s)]
    return np.asarray(robust_s + waits_s[0] - air_s - waits_s[1])


@dataclass(frozen=True)
class Part:
    """Legs of one size in one direction.

    rows : (n,) of the exchanges;  hops : of their meters;  count : segments;  answers : to a request
    stale : (n,) probability that the meter's own hop was silent before
    full, last, word : frames of all segments but the last, of the last, and of the far end's word
    middle, final : repetition of one segment before the last, and of the last
    """

    rows: Array
    way: int
    answers: bool
    hops: Hops
    count: int
    stale: Array
    full: Way
    last: Way
    word: Way
    middle: Sent
    final: Sent

    @property
    def _reached(self) -> Array:
        """Mean number of segments before the last that are begun: one given up ends the message."""
        success = self.middle.success[:, None] ** np.arange(self.count - 1)
        return np.asarray(success.sum(1))

    @property
    def full_sends(self) -> Array:
        """(n,) mean sends of segments before the last, of one start of the leg."""
        return np.asarray(self._reached * self.middle.starts)

    @property
    def last_sends(self) -> Array:
        """(n,) the same of the last segment."""
        return np.asarray(self.middle.success ** (self.count - 1) * self.final.starts)

    @property
    def words(self) -> Array:
        """(n,) mean words that the far end sends back."""
        return np.asarray(self.full_sends * self.full.passes + self.last_sends * self.last.passes)

    @property
    def success(self) -> Array:
        """(n,) probability that the whole message arrives."""
        return np.asarray(self.middle.success ** (self.count - 1) * self.final.success)


def parts_of(
    mac: PrimeMac,
    exchanges: Exchanges,
    hops: Hops,
    routes: Routes,
    stale: tuple[Array, Array],
    collisions: Collisions | None,
) -> Iterator[Part]:
    """All legs with a way, those of one size and direction at a time, answers apart from others.

    Parameters
    ----------
    stale : (n_meters, n_hops) twice, from `freshness.stale_ratios`;  collisions : None for no control traffic
    """
    count, routed = segment_count(exchanges.bytes, mac), routes.server[exchanges.meter] >= 0
    aged, early = opens_job(exchanges), exchanges.service == int(np.argmin(exchanges.window_s))
    answers = (exchanges.direction == UP) & (exchanges.depends_on >= 0)
    key = (exchanges.bytes.astype(np.int64) * 2 + answers) * 2 + exchanges.direction
    full_bytes = mac.segment_payload_bytes + mac.overhead_bytes
    for one in np.unique(key[routed]):
        rows = np.flatnonzero(routed & (key == one))
        way, n_segments = int(one) % 2, int(count[rows[0]])
        own = hops.rows(exchanges.meter[rows])
        rest = int(one) // 4 + LLC_BYTES - (n_segments - 1) * mac.segment_payload_bytes
        meter = exchanges.meter[rows]
        old = np.where(early[rows, None], stale[0][meter], stale[1][meter]) * (aged[rows, None] / n_segments)

        def frames(along: int, size: int, own: Hops = own, rows: Array = rows, old: Array = old) -> Way:
            def met(robust: bool) -> Array:
                nothing = np.zeros(own.node.shape)
                return collisions.met(mac, own, rows, along, size, robust=robust) if collisions else nothing

            return Way.of(mac, own, along, size, old, met)

        last = frames(way, rest + mac.overhead_bytes)
        full = frames(way, full_bytes) if n_segments > 1 else last
        word = frames(1 - way, mac.overhead_bytes)
        if not mac.arq:
            nothing = np.zeros_like(word.passes)
            word = Way(word.bytes, 0 * word.air_s, 0 * word.line_s, nothing, nothing + 1, nothing)
        tries = mac.arq_tries if mac.arq else 1
        both = full.passes * word.passes
        middle = _repeated(both, both, tries)
        final = _repeated(last.passes, last.passes * word.passes, tries)
        yield Part(
            rows, way, bool(answers[rows[0]]), own, n_segments, old[:, 0] * n_segments, full, last, word, middle, final
        )


def opens_job(exchanges: Exchanges) -> Array:
    """(n_legs,) bool, the request or the answer that opens what is asked of a meter for one service."""
    span = int(exchanges.meter.max(initial=0)) + 1
    job = exchanges.service.astype(np.int64) * span + exchanges.meter
    _, first, of_leg = np.unique(job, return_index=True, return_inverse=True)
    opening = exchanges.exchange == exchanges.exchange[first][of_leg]
    return np.asarray(opening & (exchanges.leg == np.where(exchanges.direction == UP, 1, 0)))
