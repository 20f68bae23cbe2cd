"""Links of one concentrator's area as square tables: who is heard by whom, how well and in which mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...paths import CablePaths
from ...technology import LinkQuality

Array = NDArray[Any]


@dataclass(frozen=True)
class CellLinks:
    """Members of one transformer's area and what each hears of each; the packet tier of every power line uses it.

    node : (n,) int64
        Node numbers: meters of the area in rising order, the concentrator last.
    snr_db, robust_db : (n, n) float64
        Effective SNR on the carriers of the link's mode, and of the most robust mode on all carriers [dB]; first axis
        the sender, second the receiver; -inf where there is no link.
    spare_db : (n, n) float64, or zero for all
        What the signal may fall before these two do, where impulses and not the level decide what is lost [dB].
    mode : (n, n) int8
        Best usable mode; -1 for none.
    """

    node: Array
    snr_db: Array
    robust_db: Array
    mode: Array
    spare_db: Array = field(default_factory=lambda: np.zeros(()))

    @property
    def level_db(self) -> Array:
        """(n, n) signal over noise of the most robust mode [dB]: what senses the line, and what disturbs others."""
        return np.asarray(self.robust_db + self.spare_db)

    @classmethod
    def of(cls, paths: CablePaths, quality: LinkQuality, site: int, robust_threshold_db: float) -> CellLinks:
        """Tables of the area that the transformer in row ``site`` feeds.

        Parameters
        ----------
        paths, quality : links and what they carry in one replication and moment
        robust_threshold_db : SNR that the most robust mode needs, which turns its margin into an SNR [dB]

        Raises ValueError where the site does not exist.
        """
        if not 0 <= site < paths.n_sites:
            raise ValueError(f"site {site} does not exist; give 0 to {paths.n_sites - 1}")
        node = np.append(_fed_meters(paths, site), paths.n_meters + site).astype(np.int64)
        place = np.full(paths.n_meters + paths.n_sites, -1, np.int64)
        place[node] = np.arange(node.size)
        first, second = place[paths.from_node], place[paths.to_node]
        rows = np.flatnonzero((first >= 0) & (second >= 0))
        ends = (first[rows], second[rows])
        shape = (node.size, node.size)
        spare = quality.spare_up_db[rows], quality.spare_down_db[rows]
        up, down = quality.margin_up_db[rows] - spare[0], quality.margin_down_db[rows] - spare[1]
        return cls(
            node,
            _square(shape, ends, quality.snr_up_db[rows], quality.snr_down_db[rows], -np.inf),
            _square(shape, ends, up + robust_threshold_db, down + robust_threshold_db, -np.inf),
            _square(shape, ends, quality.mode_up[rows], quality.mode_down[rows], -1).astype(np.int8),
            _square(shape, ends, *spare, 0.0),
        )

    @property
    def n(self) -> int:
        """Members, the concentrator included."""
        return int(self.node.size)

    def index(self, node: int) -> int:
        """Member index of a node number. Raises ValueError where it is not of this area."""
        place = int(np.searchsorted(self.node[:-1], node))
        if place < self.n - 1 and self.node[place] == node:
            return place
        if self.n and self.node[-1] == node:
            return self.n - 1
        raise ValueError(f"node {node} is no member of the cell of node {self.node[-1]}; send to a meter of its area")


def _fed_meters(paths: CablePaths, site: int) -> Array:
    """Meters whose feeder node the transformer of the site feeds, rising."""
    at = np.asarray(paths.meter_feeder_node, np.int64)
    if paths.n_feeder_nodes == 0:
        return np.zeros(0, np.int64)
    return np.flatnonzero((at >= 0) & (paths.feeder_area[np.maximum(at, 0)] == site))


def _square(shape: tuple[int, int], ends: tuple[Array, Array], up: Array, down: Array, none: float) -> Array:
    """Two columns of links as one table, sender by receiver."""
    first, second = ends
    table = np.full(shape, none, np.float64)
    table[first, second] = up
    table[second, first] = down
    return table
