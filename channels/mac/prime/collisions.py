"""Data frames of PRIME that run into control frames, because either sender does not hear the other one.

A control frame strikes a data frame whose sender it cannot hear when it begins meanwhile, and is struck by one whose
sender cannot hear it; two that hear each other collide within the time a preamble takes to be noticed. Begins are
uniform in time, for what falls due while its sender hears something waits for a gap between the data. A frame that
follows another one does not begin where the sender of that one hears the data and keeps silent; and where an earlier
frame strikes too, it adds no more than the gap between the two, since both strike the same data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...phy.prime_ofdm import FRAME_TYPES
from ...technology import DOWN, UP, Routes
from .control import Control
from .framing import frame_s, robust_mode
from .hops import Hops, hop_airtime_s, hop_loss
from .neighbours import Links
from .settings import ALIVE_BYTES, CONTROL_PRIORITY, PrimeMac

Array = NDArray[Any]

_STEP_DB, _STEPS = 1.0, 60
"""Disturbers are sorted by what they take from the SNR, rounded to this step; the last step takes everything."""
_AT_ONCE = 4096
"""Hops whose disturbers are sorted at a time, which bounds the memory that takes."""


@dataclass(frozen=True)
class Struck:
    """Control frames that may strike the data of each meter's own hop.

    hop, drop_db : (n,) the meter at the lower end of a hop, and what disturbers of one kind take from its SNR [dB]
    way : (n,) of the data;  outside : (n,) bool, the disturbers have no switch
    begin_hz, behind_hz, returns_hz : (n,) rate at which they begin unheard: anyhow, behind one that strikes, and behind
        one that does not but which another one that strikes has caused
    present : (n,) how many are on the line unheard, in the mean
    """

    own: Hops
    hop: Array
    way: Array
    outside: Array
    drop_db: Array
    begin_hz: Array
    behind_hz: Array
    returns_hz: Array
    present: Array

    def lost(self, mac: PrimeMac, way: int, psdu_bytes: int, *, robust: bool = False) -> tuple[Array, Array]:
        """Mean number of control frames that destroy a frame on each meter's own hop, by who is registered.

        Parameters
        ----------
        robust : the frame goes in the most robust mode instead of its hop's own

        Returns
        -------
        Two columns (n_meters,): of registered nodes, each asked once in ``alive_s``, and of nodes without a switch.
        """
        n = self.own.node.shape[0]
        at = self.way == way
        hop, drop = self.hop[at], self.drop_db[at]
        if not hop.size:
            return np.zeros(n), np.zeros(n)
        one = self.own.rows(hop)
        weak = one.weaker(drop[:, None])
        air_s = hop_airtime_s(mac, one, way, psdu_bytes, robust=robust)[:, 0]
        gap_s = mac.processing_s + mac.senses_s + mac.mean_backoff_s(CONTROL_PRIORITY)
        slowest = np.array(robust_mode(mac, mac.data_frame))
        far_s = 2 * gap_s + float(frame_s(mac, mac.data_frame, slowest, np.array(ALIVE_BYTES)))
        met = self.begin_hz[at] * air_s + self.present[at]
        met += self.behind_hz[at] * np.minimum(air_s, gap_s) + self.returns_hz[at] * np.minimum(air_s, far_s)
        destroyed = met * hop_loss(mac, weak, way, psdu_bytes, robust=robust)[:, 0]
        out = self.outside[at]
        return np.bincount(hop[~out], destroyed[~out], n), np.bincount(hop[out], destroyed[out], n)


@dataclass(frozen=True)
class Collisions:
    """Strikes on the legs of all exchanges; what destroys frames of one size is worked out once.

    struck : see `Struck`;  alive : (n_legs,) keep-alives that run meanwhile, one per node and ``alive_s`` being 1
    """

    struck: Struck
    alive: Array
    _known: dict[tuple[int, int, bool], tuple[Array, Array]] = field(default_factory=dict, init=False, repr=False)

    def met(self, mac: PrimeMac, hops: Hops, legs: Array, way: int, psdu_bytes: int, *, robust: bool = False) -> Array:
        """Mean number of control frames that destroy a frame on each hop of the ways of some legs, (n, n_hops).

        ``robust`` as in `Struck.lost`; ``mac`` is the same for all calls.
        """
        key = way, psdu_bytes, robust
        if key not in self._known:
            self._known[key] = self.struck.lost(mac, way, psdu_bytes, robust=robust)
        members, others = (np.append(one, 0.0) for one in self._known[key])
        return np.asarray(self.alive[legs][:, None] * members[hops.node] + others[hops.node])


def struck(
    mac: PrimeMac,
    links: Links,
    hops: Hops,
    routes: Routes,
    control: Control,
) -> Struck:
    """Who may strike whom: ``links`` tell who hears whom, ``control`` who sends control frames."""
    own = Hops(hops.node[:, :1], hops.kind[:, :1], *(column[..., :1] for column in hops.columns))
    meter = np.flatnonzero(own.there[:, 0]) if hops.node.shape[1] else np.zeros(0, np.int64)
    events = np.append(0, np.cumsum(np.bincount(control.node, minlength=links.start.size - 1)))
    traffic = events, control.cause, control.returns, control.rate_hz, control.line, control.outside
    ends = meter, routes.parent[meter].astype(np.int64)
    hearing = mac.sense_db, FRAME_TYPES["A"].preamble_s
    near, groups = (links.start, links.other, links.out_db, links.in_db), []
    for way, (sender, receiver) in ((UP, ends), (DOWN, ends[::-1])):
        for first in range(0, max(meter.size, 1), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            sums = _strikes(*near, sender[some], receiver[some], *traffic, *hearing)
            row, outside, step = np.nonzero(sums.sum(-1))
            drop_db = np.where(step == _STEPS - 1, np.inf, step * _STEP_DB)
            groups.append((meter[some][row], np.full(row.size, way), outside > 0, drop_db, *sums[row, outside, step].T))
    return Struck(own, *(np.concatenate(column) for column in zip(*groups, strict=True)))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _strikes(
    start: Array,
    other: Array,
    out_db: Array,
    in_db: Array,
    sender: Array,
    receiver: Array,
    events: Array,
    cause: Array,
    returns: Array,
    rate_hz: Array,
    line: Array,
    outside: Array,
    sense_db: float,
    blind_s: float,
) -> Array:
    """Rates of unheard begins as in `Struck`, and mean number of frames on the line unheard.

    (n_hops, 2, _STEPS, 4) by ``outside`` and by what they take from the SNR.
    """
    sums = np.zeros((sender.size, 2, _STEPS, 4))
    hears, heard, strikes = np.zeros((3, events.size))
    for hop in range(sender.size):
        s, r = sender[hop], receiver[hop]
        hears[s] = 1.0
        for k in range(start[s], start[s + 1]):
            hears[other[k]] = 1.0 if out_db[k] >= sense_db else 0.0
            heard[other[k]] = 1.0 if in_db[k] >= sense_db else 0.0
        for k in range(start[r], start[r + 1]):
            drop_db = 10 * np.log10(1 + 10 ** (in_db[k] / 10))
            strikes[other[k]] = min(int(drop_db / _STEP_DB + 0.5), _STEPS - 1)
        # the receiver itself loses what comes while it sends
        strikes[r] = _STEPS - 1
        for k in range(start[r] - 1, start[r + 1]):
            x = r if k < start[r] else other[k]
            step = int(strikes[x])
            if x == s or step == 0:
                continue
            for e in range(events[x], events[x + 1]):
                mine = sums[hop, 1 if outside[e] else 0, step]
                mine[3] += line[e] * (1 - heard[x]) + rate_hz[e] * blind_s * (hears[x] + heard[x])
                if cause[e] < 0:
                    mine[0] += rate_hz[e] * (1 - hears[x])
                elif not hears[cause[e]]:
                    kind = 1 if strikes[cause[e]] >= step else 2 * returns[e]
                    mine[kind] += rate_hz[e] * (1 - hears[x])
        hears[s] = strikes[r] = 0.0
        for k in range(start[s], start[s + 1]):
            hears[other[k]] = heard[other[k]] = 0.0
        for k in range(start[r], start[r + 1]):
            strikes[other[k]] = 0.0
    return sums
