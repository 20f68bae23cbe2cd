"""Who disturbs the first hop of a PRIME message that follows its sender's own word: the switch two hops ahead.

Where the sender does not hear that switch it begins while the switch sends, else only where both begin at once; its
frame is lost where it arrives too weak beside what the switch sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...paths import CablePaths
from ...technology import UP, LinkQuality
from .framing import pair_frame
from .hops import Hops, hop_loss, robust_threshold_db
from .settings import PrimeMac

Array = NDArray[Any]


@dataclass(frozen=True)
class Hidden:
    """Ways in one direction; (n_meters,) columns.

    unheard : bool, there is a switch two hops ahead and the sender cannot hear it
    hop : place of the first hop of the direction in `Hops`, 0 on shorter ways
    drop_db : what that switch takes from the SNR of the first hop
    """

    unheard: Array
    hop: Array
    drop_db: Array

    def lost(self, mac: PrimeMac, hops: Hops, meter: Array, way: int, psdu_bytes: int) -> Array:
        """Probability that a frame on the first hop is lost where it meets the word two hops ahead, (n,).

        Parameters
        ----------
        hops, meter : ways of some meters, and who they are, (n,)
        """
        first = hops.at(np.arange(meter.size), self.hop[meter]).weaker(self.drop_db[meter][:, None])
        return np.asarray(hop_loss(mac, first, way, psdu_bytes)[:, 0])


def hidden(
    mac: PrimeMac,
    paths: CablePaths,
    quality: LinkQuality,
    hops: Hops,
    routes_server: Array,
    way: int,
    legacy: Array,
) -> Hidden:
    """The switch two hops ahead of each sender in one direction.

    Parameters
    ----------
    routes_server : (n_meters,) site of each way, -1 for none;  way : `UP` from the meter, `DOWN` from the base node
    legacy : (n_nodes,) bool, of version 1.3.6
    """
    n, count = hops.count.size, hops.count
    deep = count >= 3
    if not deep.any():
        return Hidden(np.zeros(n, bool), np.zeros(n, np.int64), np.zeros(n))
    row, base = np.arange(n), paths.n_meters + routes_server.astype(np.int64)
    if way == UP:
        hop, second, sender, ahead = np.zeros(n, np.int64), np.ones(n, np.int64), row, hops.node[:, 2]
    else:
        hop, second, sender = np.where(deep, count - 1, 0), np.where(deep, count - 2, 0), base
        ahead = hops.node[row, second]
    # the switch ahead talks to the receiver of the first hop against the direction of the message
    back = (1 - way, row, np.where(deep, second, 0))
    level_db = hops.robust_db[back] + hops.spare_db[back]
    drop = np.where(deep, 10 * np.log10(1 + 10 ** (np.where(deep, level_db, -np.inf) / 10)), 0.0)
    unheard = np.zeros(n, bool)
    unheard[deep] = ~_heard(mac, paths, quality, legacy, ahead[deep], sender[deep])
    return Hidden(unheard, hop, drop)


def _heard(
    mac: PrimeMac, paths: CablePaths, quality: LinkQuality, legacy: Array, speaker: Array, listener: Array
) -> Array:
    """Whether the listener notices what the speaker sends, (n,) bool: by the preamble, long before it could read it."""
    n_nodes = paths.n_meters + paths.n_sites
    wanted, back = np.unique(speaker.astype(np.int64) * n_nodes + listener, return_inverse=True)
    found = np.zeros(wanted.size + 1, bool)
    ends = paths.from_node.astype(np.int64), paths.to_node.astype(np.int64)
    for (start, end), margin_db in ((ends, quality.margin_up_db), (ends[::-1], quality.margin_down_db)):
        speaks = np.zeros(n_nodes, bool)
        speaks[speaker] = True
        rows = np.flatnonzero(speaks[start])
        floor_db = robust_threshold_db(mac, pair_frame(mac, legacy[start[rows]], legacy[end[rows]]))
        rows = rows[margin_db[rows] + floor_db >= mac.sense_db]
        key = start[rows] * n_nodes + end[rows]
        place = np.searchsorted(wanted, key)
        found[place[np.append(wanted, -1)[place] == key]] = True
    return np.asarray(found[back])
