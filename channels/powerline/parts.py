"""Some transformer areas by themselves, and the same areas with modems added: what a change is tried on.

Every draw hangs on keys, so an area alone is what it is within the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..paths import ON_ALL_PHASES, CablePaths
from .pairs import area_pairs

Array = NDArray[Any]


@dataclass(frozen=True)
class Part:
    """Paths of some areas, and which rows of the whole they are.

    meter, site, feeder_node, edge, link : rows of the whole, in their old order
    """

    paths: CablePaths
    meter: Array
    site: Array
    feeder_node: Array
    edge: Array
    link: Array


def part_of(paths: CablePaths, sites: Array) -> Part:
    """The areas of some sites alone.

    Parameters
    ----------
    sites : (n,) site rows, each once

    Returns
    -------
    Part, with sites in rising order. Raises ValueError where a site does not exist.
    """
    site = np.unique(np.asarray(sites, np.int64))
    if site.size and not 0 <= site[0] <= site[-1] < paths.n_sites:
        raise ValueError(f"site {site[-1] if site[-1] >= paths.n_sites else site[0]} does not exist; give known rows")
    area = np.append(paths.feeder_area, -1)
    kept = np.append(np.isin(paths.feeder_area, site), False)
    node = np.flatnonzero(kept)
    meter = np.flatnonzero(kept[paths.meter_feeder_node])
    owner = area[np.concatenate([paths.meter_feeder_node, paths.site_feeder_node])]
    edge = np.flatnonzero(kept[paths.edge_from] & kept[paths.edge_to])
    link = np.flatnonzero(np.isin(owner[paths.from_node], site) & np.isin(owner[paths.to_node], site))
    own = np.concatenate([meter, paths.n_meters + site])
    new_node, new_site, new_own = _numbers(node, area.size), _numbers(site, paths.n_sites), _numbers(own, owner.size)
    cut = replace(
        paths,
        edge_from=new_node[paths.edge_from[edge]].astype(np.int32),
        edge_to=new_node[paths.edge_to[edge]].astype(np.int32),
        edge_length_m=paths.edge_length_m[edge],
        edge_cable=paths.edge_cable[edge],
        feeder_area=new_site[paths.feeder_area[node]].astype(np.int32),
        meter_feeder_node=new_node[paths.meter_feeder_node[meter]].astype(np.int32),
        meter_phases=paths.meter_phases[meter],
        meter_class=_rows(paths.meter_class, meter),
        meter_phase=_rows(paths.meter_phase, meter),
        meter_bare=_rows(paths.meter_bare, meter),
        meter_filter_db=_rows(paths.meter_filter_db, meter),
        meter_filter_ohm=_rows(paths.meter_filter_ohm, meter),
        site_feeder_node=new_node[paths.site_feeder_node[site]].astype(np.int32),
        site_rated_kva=paths.site_rated_kva[site],
        from_node=new_own[paths.from_node[link]].astype(np.int32),
        to_node=new_own[paths.to_node[link]].astype(np.int32),
        distance_m=paths.distance_m[link],
        node_key=paths.node_key[own],
        n_meters=meter.size,
        n_sites=site.size,
        node_coupler=_rows(paths.node_coupler, own),
    )
    return Part(cut, meter, site, node, edge, link)


def with_repeaters(paths: CablePaths, feeder_node: Array, key: Array, max_length_m: float) -> CablePaths:
    """The same areas with a bare modem at each of some places, on all phases that arrive there.

    Parameters
    ----------
    feeder_node : (n,) places;  key : (n,) uint64 stable keys of the repeaters
    max_length_m : pairs farther apart along the cables are left out, as when the paths were made

    Returns
    -------
    CablePaths with the repeaters as meters behind the last one: rows ``n_meters`` on.
    """
    at, n = np.asarray(feeder_node, np.int32), paths.n_meters
    k = at.size
    meter_node = np.append(paths.meter_feeder_node, at).astype(np.int32)
    edges = paths.edge_from, paths.edge_to, paths.edge_length_m
    start, end, metres = area_pairs(*edges, paths.feeder_area, meter_node, paths.site_feeder_node, max_length_m)
    coupler = np.full(n + paths.n_sites, -1, np.int8) if paths.node_coupler is None else paths.node_coupler
    bare = np.zeros(n, bool) if paths.meter_bare is None else paths.meter_bare
    return replace(
        paths,
        meter_feeder_node=meter_node,
        meter_phases=np.append(paths.meter_phases, np.full(k, 3, np.int8)),
        from_node=start,
        to_node=end,
        distance_m=metres,
        node_key=np.insert(paths.node_key, n, np.asarray(key, np.uint64)),
        n_meters=n + k,
        node_coupler=np.insert(coupler, n, np.full(k, ON_ALL_PHASES, np.int8)),
        meter_bare=np.append(bare, np.ones(k, bool)),
        meter_class=_longer(paths.meter_class, k, 0),
        meter_phase=_longer(paths.meter_phase, k, -1),
        meter_filter_db=_longer(paths.meter_filter_db, k, 0),
        meter_filter_ohm=_longer(paths.meter_filter_ohm, k, 0),
    )


def linked_among(paths: CablePaths, node: Array) -> CablePaths:
    """The same network, loads and noise, but only the links among some nodes: a trial that needs no others is cheap."""
    talks = np.zeros(paths.n_meters + paths.n_sites, bool)
    talks[node] = True
    return with_links(paths, np.flatnonzero(talks[paths.from_node] & talks[paths.to_node]))


def with_links(paths: CablePaths, link: Array) -> CablePaths:
    """The same network with only the links in some rows."""
    return replace(
        paths, from_node=paths.from_node[link], to_node=paths.to_node[link], distance_m=paths.distance_m[link]
    )


def _numbers(rows: Array, size: int) -> Array:
    """New number of each old row; -1 where it is left out, also at the end for a row -1."""
    new = np.full(size + 1, -1, np.int64)
    new[rows] = np.arange(rows.size)
    return new


def _rows(column: Array | None, rows: Array) -> Array | None:
    return None if column is None else column[rows]


def _longer(column: Array | None, k: int, value: float) -> Array | None:
    return None if column is None else np.append(column, np.full(k, value, column.dtype))
