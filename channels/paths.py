"""The geometry of links, as plain columns: what the map hands to physics."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cable import Cable

Array = NDArray[Any]


class Clutter(IntEnum):
    """Surroundings of an antenna, after the clutter classes of Recommendation ITU-R P.2108-1 section 3.1."""

    OPEN = 0
    SUBURBAN = 1
    URBAN = 2
    TREES = 3
    DENSE = 4
    WATER = 5


class Enclosure(IntEnum):
    """Where the meter hangs; sites are ``NONE``."""

    NONE = 0
    FACADE_BOX = 1
    INDOOR = 2
    BASEMENT = 3
    STEEL_CABINET = 4
    PIT = 5


CUSTOMER_CLASSES = ("house", "flat", "farm", "commercial", "public", "industrial", "other")
"""Customers behind a power line, as far as their appliances differ; the kinds of the meter table."""


ON_ALL_PHASES = 3
"""Coupler that drives and hears all three phases."""


@dataclass(frozen=True)
class RadioPaths:
    """Radio links between meters and sites, and among meters for a mesh.

    from_node, to_node : (n_links,) int32
        Node numbers (see ``technology``); every unordered pair stands once; meter to site, or lower to higher meter.
    distance_m : (n_links,) float64
        Along the ground [m], positive.
    terrain_m : (n_links, n_samples) float32
        Ground heights above sea level at equal steps from the first end to the second, both ends included [m].
        n_samples is 2 on flat ground.
    node_height_m : (n_nodes,) float64
        Antenna above ground [m].
    node_clutter : (n_nodes,) int8
        ``Clutter`` code.
    node_enclosure : (n_nodes,) int8
        ``Enclosure`` code in this replication.
    node_key : (n_nodes,) uint64
        Stable key of the meter or site.
    n_meters, n_sites : counts.
    """

    from_node: Array
    to_node: Array
    distance_m: Array
    terrain_m: Array
    node_height_m: Array
    node_clutter: Array
    node_enclosure: Array
    node_key: Array
    n_meters: int
    n_sites: int

    @property
    def n_links(self) -> int:
        """Number of links."""
        return int(self.from_node.size)

    def select(self, rows: Array) -> RadioPaths:
        """The same nodes with only the given link rows (index or mask)."""
        return RadioPaths(
            self.from_node[rows],
            self.to_node[rows],
            self.distance_m[rows],
            self.terrain_m[rows],
            self.node_height_m,
            self.node_clutter,
            self.node_enclosure,
            self.node_key,
            self.n_meters,
            self.n_sites,
        )


@dataclass(frozen=True)
class CablePaths:
    """Low-voltage areas as electrical networks, and the pairs of nodes that may talk over them.

    edge_from, edge_to : (n_edges,) int32 feeder node rows;  edge_length_m : (n_edges,) float64 [m]
    edge_cable : (n_edges,) int16
        Row in ``cables``.
    cables : cable types, resolved (``powerline.cables.cable_named``).
    feeder_area : (n_feeder_nodes,) int32
        Transformer row (= site row) that feeds the node; -1 for a dead island.
    meter_feeder_node : (n_meters,) int32
        Feeder node of the meter; -1 where it has none.
    site_feeder_node : (n_sites,) int32
        Feeder node of the transformer's low-voltage bus.
    site_rated_kva : (n_sites,) float64
        Rating of the transformer [kVA].
    meter_phases : (n_meters,) int8
        1 or 3; which phase a single-phase meter sits on is drawn per replication where ``meter_phase`` does not tell.
    from_node, to_node : (n_links,) int32
        Pairs within one area, each once; meter to site, or lower to higher meter.
    distance_m : (n_links,) float64
        Along the cables [m].
    node_key : (n_nodes,) uint64
        Stable key of the meter or site.
    meter_class : (n_meters,) int8
        Customer of each meter, row of ``CUSTOMER_CLASSES``; None where all are houses.
    meter_phase : (n_meters,) int8
        Phase 0, 1 or 2 of a single-phase meter, or of the modem of a three-phase one, as the map tells; -1 where it
        does not; None where it tells none.
    node_coupler : (n_nodes,) int8
        Phase 0, 1 or 2 that a modem couples to, or ``ON_ALL_PHASES``; -1 where the technology decides; None for all.
        Only for sites and three-phase meters: any other modem has the phase of its customer.
    meter_bare : (n_meters,) bool
        A modem without a customer behind it, such as a repeater: no loads and no emitters; None where there is none.
    meter_filter_db, meter_filter_ohm : (n_meters,) float64
        What a filter between the meter and its customer takes from what the customer emits [dB], and the resistance it
        puts in series with the loads [ohm]; 0 where there is no filter; None where there is none at all.
    """

    edge_from: Array
    edge_to: Array
    edge_length_m: Array
    edge_cable: Array
    cables: tuple[Cable, ...]
    feeder_area: Array
    meter_feeder_node: Array
    site_feeder_node: Array
    site_rated_kva: Array
    meter_phases: Array
    from_node: Array
    to_node: Array
    distance_m: Array
    node_key: Array
    n_meters: int
    n_sites: int
    meter_class: Array | None = None
    meter_phase: Array | None = None
    node_coupler: Array | None = None
    meter_bare: Array | None = None
    meter_filter_db: Array | None = None
    meter_filter_ohm: Array | None = None

    @property
    def n_links(self) -> int:
        """Number of links."""
        return int(self.from_node.size)

    @property
    def n_feeder_nodes(self) -> int:
        """Number of nodes of the low-voltage network."""
        return int(self.feeder_area.size)


def other_end(paths: RadioPaths | CablePaths, link: Array, node: Array) -> Array:
    """The node at the far end of each link, seen from ``node``."""
    return np.where(paths.from_node[link] == node, paths.to_node[link], paths.from_node[link])
