"""The hops of every meter's way to its base node as columns, and what frames on them take and lose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...paths import CablePaths, other_end
from ...phy.prime_adaptation import adaptive_modes, threshold_db
from ...technology import DOWN, UP, LinkQuality, Routes
from .framing import KINDS, frame_loss, frame_s, pair_frame, robust_mode
from .settings import PrimeMac

Array = NDArray[Any]


@dataclass(frozen=True)
class Hops:
    """Ways of all meters, first hop at the meter.

    node : (n_meters, n_hops) int64 lower end of each hop, -1 beyond the base node
    kind : (n_meters, n_hops) int8 frame type, row of `KINDS`
    mode, snr_db, robust_db : (2, n_meters, n_hops) by direction of the frame; mode -1 beyond the base node
    spare_db : likewise, what the signal may fall before these SNR do, since impulses decide what is lost
    """

    node: Array
    kind: Array
    mode: Array
    snr_db: Array
    robust_db: Array
    spare_db: Array

    @property
    def columns(self) -> tuple[Array, Array, Array, Array]:
        """Those that differ by direction: mode, SNR, SNR of the most robust mode, and what is spare."""
        return self.mode, self.snr_db, self.robust_db, self.spare_db

    @property
    def there(self) -> Array:
        """(n_meters, n_hops) bool: the way has this hop."""
        return self.node >= 0

    @property
    def count(self) -> Array:
        """(n_meters,) hops of each way; 0 for none."""
        return np.asarray(self.there.sum(1))

    def rows(self, meters: Array) -> Hops:
        """Ways of some meters, in that order."""
        return Hops(self.node[meters], self.kind[meters], *(column[:, meters] for column in self.columns))

    def at(self, meters: Array, hop: Array) -> Hops:
        """One hop of the ways of some meters, as ways of one hop, (n, 1)."""
        ends = self.node[meters, hop][:, None], self.kind[meters, hop][:, None]
        return Hops(*ends, *(column[:, meters, hop][..., None] for column in self.columns))

    def weaker(self, drop_db: Array) -> Hops:
        """The same ways where others take ``drop_db`` (n, 1) from what arrives."""
        own_db = own_spare_db(self.snr_db, self.robust_db, self.spare_db)
        snr_db = self.snr_db - np.maximum(drop_db - own_db, 0.0)
        return replace(self, snr_db=snr_db, robust_db=self.robust_db - np.maximum(drop_db - self.spare_db, 0.0))


def own_spare_db(snr_db: Array, robust_db: Array, spare_db: Array) -> Array:
    """What the signal may fall before the effective SNR of the mode in use does, any shape [dB].

    That SNR ends at a ceiling of its own where impulses wipe out symbols; a mode that needs more has a higher one, so
    that less is left between it and the level, which is the robust mode's SNR and what that has to spare.

    >>> own_spare_db(np.array([4.0, 15.0, 20.0]), np.array([4.0, 4.0, 4.0]), np.array([16.0, 16.0, 0.0])).tolist()
    [16.0, 5.0, 0.0]
    """
    above = np.subtract(robust_db + spare_db, snr_db, out=np.zeros(np.shape(snr_db)), where=np.isfinite(snr_db))
    return np.asarray(np.clip(above, 0.0, spare_db))


def robust_threshold_db(mac: PrimeMac, kind: Array) -> Array:
    """SNR that the most robust mode of a pair's frame type needs, (n,), loss included [dB]: zero of its margin."""
    needed = [threshold_db(adaptive_modes(mac.channels, one)[0]) + mac.loss_db for one in KINDS]
    return np.asarray(np.array(needed)[kind])


def hops_of(mac: PrimeMac, routes: Routes, paths: CablePaths, quality: LinkQuality, legacy: Array) -> Hops:
    """Look up every hop of every way.

    Parameters
    ----------
    legacy : (n_nodes,) bool, the node is of version 1.3.6
    """
    n = paths.n_meters
    depth = int(routes.hops.max(initial=0))
    node = np.full((n, depth), -1, np.int64)
    kind, mode = np.zeros((n, depth), np.int8), np.full((2, n, depth), -1, np.int64)
    snr, robust = np.full((2, 2, n, depth), -np.inf)
    spare, up_db, down_db = np.zeros((2, n, depth)), quality.spare_up_db, quality.spare_down_db
    here = np.where(routes.server >= 0, np.arange(n), -1).astype(np.int64)
    rows = np.flatnonzero(here >= 0)
    for hop in range(depth):
        low = here[rows]
        link = routes.link[low]
        high = other_end(paths, link, low)
        node[rows, hop] = low
        kind[rows, hop] = pair_frame(mac, legacy[low], legacy[high])
        floor = robust_threshold_db(mac, kind[rows, hop])
        rises = paths.from_node[link] == low
        for way, along in ((UP, rises), (DOWN, ~rises)):
            mode[way, rows, hop] = np.where(along, quality.mode_up[link], quality.mode_down[link])
            snr[way, rows, hop] = np.where(along, quality.snr_up_db[link], quality.snr_down_db[link])
            margin = np.where(along, quality.margin_up_db[link], quality.margin_down_db[link])
            spare[way, rows, hop] = np.where(along, up_db[link], down_db[link])
            robust[way, rows, hop] = margin - spare[way, rows, hop] + floor
        here[rows] = high
        rows = rows[high < n]
    return Hops(node, kind, mode, snr, robust, spare)


def hop_airtime_s(mac: PrimeMac, hops: Hops, way: int, psdu_bytes: int, *, robust: bool = False) -> Array:
    """Airtime of a frame on every hop in one direction, (n, n_hops) [s]; 0 beyond the base node.

    Parameters
    ----------
    way : `UP` or `DOWN`;  robust : in the most robust mode of each hop instead of its own
    """
    airtime = np.zeros(hops.node.shape)
    for row, name in enumerate(KINDS):
        at = hops.there & (hops.kind == row)
        if at.any():
            mode = np.full(int(at.sum()), robust_mode(mac, name)) if robust else hops.mode[way][at]
            airtime[at] = frame_s(mac, name, np.maximum(mode, robust_mode(mac, name)), np.array(psdu_bytes))
    return airtime


def hop_loss(mac: PrimeMac, hops: Hops, way: int, psdu_bytes: int, *, robust: bool = False) -> Array:
    """Probability that a frame is lost on each hop in one direction, (n, n_hops); 0 beyond the base node."""
    lost = np.zeros(hops.node.shape)
    for row, name in enumerate(KINDS):
        at = hops.there & (hops.kind == row)
        if at.any():
            mode, snr, floor = hops.mode[way][at], hops.snr_db[way][at], hops.robust_db[way][at]
            if robust:
                mode, snr = np.where(mode >= 0, robust_mode(mac, name), -1), floor
            lost[at] = frame_loss(mac, name, mode, snr, floor, np.array(psdu_bytes))
    return lost
