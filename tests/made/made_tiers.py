"""Cells with windows that bind, in both tiers, and what the tiers differ by."""

from dataclasses import dataclass, replace

import numpy as np
from amiplan.planner.packet import cell_day
from made_cells import cell_of

TWO_SIDED_95 = 1.96


@dataclass(frozen=True)
class Compared:
    """One cell in one replication: means over its exchanges, and the latencies of what both tiers read.

    fast, packet : (n_exchanges,) probability and whether it was read
    fast_s, packet_s : (n_both,) latencies [s]
    n_modems, most_requests : of the cell, and requests that the concentrator can have given up and still under way
    """

    label: str
    fast: np.ndarray
    packet: np.ndarray
    fast_s: np.ndarray
    packet_s: np.ndarray
    counters: dict[str, int]
    wrong: int
    n_modems: int
    most_requests: int


def compared(label, piece):
    """Both tiers of a cell."""
    day = cell_day(piece)
    read = np.isfinite(day.finished_s)
    both = read & np.isfinite(piece.latency_s)
    fast_s, packet_s = piece.latency_s[both], day.finished_s[both]
    n_modems, asked = piece.paths.n_meters + 1, piece.technology.parallel_polls * piece.session.tries
    read_both = piece.p_arrive.ravel(), read.ravel(), fast_s, packet_s
    return Compared(label, *read_both, day.counters, day.wrong, n_modems, asked)


def with_window(technology, paths, draws, share, **world):
    """The cell with a window in which the fast tier reads about ``share`` of what it would read in a day; None: a day.

    The window ends at that quantile of the fast tier's median latencies, so that the deadline decides for some.
    """
    whole = cell_of(technology, paths, draws, window_s=86_400.0, **world)
    if share is None:
        return whole
    latency_s = np.sort(whole.latency_s[np.isfinite(whole.latency_s)])
    window_s = float(np.quantile(latency_s, share)) / technology.airtime_share
    return cell_of(technology, paths, draws, window_s=window_s, **world)


@dataclass(frozen=True)
class Pooled:
    """All cells together: ``difference`` of read success and its 95 % half width, with whole cells as the units that
    vary independently; ``ratio`` of median latencies, packet over fast; shares read."""

    difference: float
    half_width: float
    ratio: float
    fast: float
    packet: float

    @property
    def text(self):
        return (
            f"read {self.fast:.2%} fast, {self.packet:.2%} packet, difference {100 * self.difference:+.2f} points "
            f"(half width {100 * self.half_width:.2f}), median latency packet over fast {self.ratio:.3f}"
        )


def pooled(results):
    """`Pooled` over results; each result is a cluster whose exchanges hang together."""
    n = np.array([one.fast.size for one in results])
    total = np.array([(one.packet - one.fast).sum() for one in results])
    difference = total.sum() / n.sum()
    freedom = len(results) - 1
    spread = np.sqrt(np.sum((total - difference * n) ** 2) * len(results) / freedom) / n.sum() if freedom else np.inf
    fast_s, packet_s = (np.concatenate([getattr(one, name) for one in results]) for name in ("fast_s", "packet_s"))
    return Pooled(
        float(difference),
        float(TWO_SIDED_95 * spread),
        float(np.median(packet_s) / np.median(fast_s)),
        float(np.concatenate([one.fast for one in results]).mean()),
        float(np.concatenate([one.packet for one in results]).mean()),
    )


def check_bytes(one):
    """Every reading that counts equals the register, and nothing that was sent is unaccounted for.

    When the day ends the concentrator waits for nothing: a payload can be pending only where its answer was given up,
    at most each try of the last exchange of each meter asked side by side. A modem has one frame on the line at most.
    """
    assert one.wrong == 0
    for what in ("frames", "payloads"):
        sent, *fates = (one.counters[f"{what}_{name}"] for name in ("sent", "delivered", "lost", "pending"))
        assert sent == sum(fates), (one.label, what)
    assert one.counters["payloads_pending"] <= one.most_requests, one.label
    assert one.counters["frames_pending"] <= one.n_modems, one.label
    assert one.counters["crc_refused"] <= one.counters["frames_lost"]


def narrowed(technology):
    """Without the reserve of adaptation, so that frames are lost and repeated."""
    return replace(technology, mode_margin_db=0.0)
