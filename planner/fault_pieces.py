"""What is hit by a fault: the areas concerned, cut out of the map, with all that is needed to go through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.cable import Cable
from ..channels.paths import CablePaths
from ..channels.powerline.cables import cable_named
from ..channels.powerline.parts import part_of
from ..channels.technology import Exchanges
from ..gis.area import ServiceArea
from .exchanges import Speakers, exchanges_of
from .fault_settings import FaultSettings
from .packet import OpensCells
from .pipeline import Carried, PlanningError
from .settings import PlannerSettings
from .switching import nearest_tie

Array = NDArray[Any]


@dataclass(frozen=True)
class FaultPiece:
    """One fault of one technology, with all it needs and nothing of the rest of the map.

    paths : the areas concerned;  xy : (n_feeder_nodes, 2) places of their nodes [m]
    site, other : rows of the area that is hit and of the one that takes its feeder, -1 for none
    site_id, meter_id, kind, built : of the rows of the paths;  exchanges : of these meters
    """

    fault: str
    technology: Any
    paths: CablePaths
    xy: Array
    site: int
    other: int
    site_id: Array
    meter_id: Array
    kind: Array
    built: Array
    exchanges: Exchanges
    tie_cable: Cable
    settings: PlannerSettings


def fault_pieces(carried: Sequence[Carried], area: ServiceArea, settings: PlannerSettings) -> list[FaultPiece]:
    """What is to be gone through: every fault that is asked for, with every technology that has a packet tier.

    Raises PlanningError where the case names a transformer that does not exist or gives the feeder to itself.
    """
    asked = settings.faults
    wired = [one for one in carried if one.areas is not None and isinstance(one.technology, OpensCells)]
    if not asked.which or not wired or settings.simulation.tier == "fast" or area.transformers.empty:
        return []
    try:
        site, other = hit_area(area, settings.faults)
    except ValueError as error:
        raise PlanningError(str(error)) from error
    return [_piece(one, fault, area, settings, site, other) for one in wired for fault in asked.which]


def hit_area(area: ServiceArea, asked: FaultSettings) -> tuple[int, int]:
    """Rows of the area that is hit, and of its neighbour if one is named.

    By default the area with the most meters, among those of at most ``most_meters``; the smallest where all have more.
    Raises ValueError where a transformer that is named does not exist, or where the feeder would be given to itself.
    """
    ids = area.transformers["transformer_id"].astype(str).to_numpy(object)
    rows = {name: row for row, name in enumerate(ids)}
    asked.check_names(list(rows))
    owner = area.meters["transformer"].to_numpy(np.int64)
    n_meters = np.bincount(owner[owner >= 0], minlength=ids.size)
    large = n_meters > asked.most_meters
    size = np.where(large, n_meters, -n_meters)
    site = rows[asked.area] if asked.area else int(np.lexsort((ids.astype(str), size, large))[0])
    other = rows[asked.neighbour] if asked.neighbour else -1
    if other == site:
        raise ValueError(f"faults.neighbour = {asked.neighbour!r} is the area itself; name another transformer")
    return site, other


def _piece(one: Carried, fault: str, area: ServiceArea, settings: PlannerSettings, site: int, other: int) -> FaultPiece:
    """Cut the areas concerned out of the map."""
    paths = one.links.paths
    assert isinstance(paths, CablePaths)
    xy = np.column_stack([area.feeders.node_x_m, area.feeders.node_y_m])
    sites = [site]
    if fault == "feeder_moved":
        tie = nearest_tie(paths, xy, site, other)
        sites += [tie.other] if tie is not None else []
    part = part_of(paths, np.array(sites))
    row = {whole: new for new, whole in enumerate(part.site.tolist())}
    meters = area.meters.iloc[part.meter]
    keys, kinds = meters["key"].to_numpy(np.uint64), meters["kind"].to_numpy(object)
    speakers = Speakers(keys, kinds, settings.simulation.seed)
    return FaultPiece(
        fault,
        one.technology,
        part.paths,
        xy[part.feeder_node],
        row[site],
        row[sites[1]] if len(sites) > 1 else -1,
        one.links.site_ids[part.site],
        meters["meter_id"].to_numpy(object),
        kinds,
        one.choice.built[part.site],
        exchanges_of(len(meters), one.technology.exchange_policy, settings.service, settings.session, speakers),
        cable_named(settings.faults.tie_cable, settings.cables),
        settings,
    )
