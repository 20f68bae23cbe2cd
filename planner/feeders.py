"""What the power line looks like from each concentrator: one row per meter, and whole feeders to draw.

All of it is the first replication, the one that maps and the packet tier show; the physics is the technology's own.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..channels.draws import Draws
from ..channels.paths import CablePaths
from ..channels.powerline.views import FeederView
from ..channels.scenario import Scenario
from .tables import Deliveries, FeederPicture, Feeders, Links

Array = NDArray[Any]

MOST_PICTURES = 12
"""Feeders the report draws: all where there are as few, else worst, middle and best by the share of meters served."""
PHASES = np.array(["L1", "L2", "L3", "L1 L2 L3"])
"""Last for a modem on all three (phase -1)."""


@runtime_checkable
class ShowsFeeders(Protocol):
    """A technology that can show the line between a concentrator and everything on its cables."""

    modes: tuple[str, ...]

    def feeder_view(self, paths: CablePaths, scenario: Scenario, draws: Draws, site: int) -> FeederView:
        """Numbers of all members of one area in one replication."""
        ...


def feeders_of(
    technology: object, links: Links, deliveries: Deliveries, meter_id: Array, scenario: Scenario, draws: Draws
) -> Feeders | None:
    """Rows of all meters with a cable to their concentrator, and pictures of some areas; None for other media.

    Parameters
    ----------
    meter_id : (n_meters,) ids as the user wrote them;  draws : of the replication shown
    """
    paths = links.paths
    if not isinstance(technology, ShowsFeeders) or not isinstance(paths, CablePaths):
        return None
    site_id = links.site_ids
    served = np.asarray(deliveries.served.all(axis=0))
    names = np.array([*technology.modes, "none"], dtype=object)
    node = np.concatenate([paths.meter_feeder_node, paths.site_feeder_node])[paths.from_node]
    # areas with any link: the concentrator itself may be too far from all of them
    sites = np.unique(paths.feeder_area[node[node >= 0]])
    rows, pictures, frequency_hz = [], [], np.zeros(0)
    drawn = _worth_drawing(paths, sites, served)
    for site in sites.tolist():
        view = technology.feeder_view(paths, scenario, draws, site)
        frequency_hz = view.frequency_hz
        rows.append(_rows(view, paths.n_meters, str(site_id[site]), meter_id, names))
        if site in drawn:
            pictures.append(_picture(view, paths.n_meters, str(site_id[site]), served, names))
    table = pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=list(COLUMNS))
    return Feeders(frequency_hz, table[list(COLUMNS)], tuple(pictures))


COLUMNS = (
    "meter_id", "site_id", "phase", "distance_m", "attenuation_db", "access_ohm", "noise_dbuv", "snr_up_db",
    "snr_down_db", "mode_up", "mode_down",
)  # fmt: skip


def _worth_drawing(paths: CablePaths, sites: Array, served: Array) -> set[int]:
    """Sites whose feeders the report draws."""
    node = paths.meter_feeder_node
    area = np.where(node >= 0, paths.feeder_area[np.maximum(node, 0)], -1)
    n_meters = np.bincount(area[area >= 0], minlength=paths.n_sites)[sites]
    n_served = np.bincount(area[(area >= 0) & served], minlength=paths.n_sites)[sites]
    order = sites[np.lexsort((-n_meters, n_served / np.maximum(n_meters, 1)))]
    third = MOST_PICTURES // 3
    if order.size <= MOST_PICTURES:
        return set(order.tolist())
    middle = (order.size - third) // 2
    return {*order[:third].tolist(), *order[middle : middle + third].tolist(), *order[-third:].tolist()}


def _rows(view: FeederView, n_meters: int, site_id: str, meter_id: Array, names: Array) -> pd.DataFrame:
    """One row a meter: what its direct link to the concentrator looks like, mean over the carriers."""
    some = np.flatnonzero(view.node < n_meters)
    return pd.DataFrame(
        {
            "meter_id": meter_id[view.node[some]],
            "site_id": site_id,
            "phase": PHASES[view.phase[some]],
            "distance_m": view.distance_m[some],
            "attenuation_db": view.loss_db[some].mean(axis=1),
            "access_ohm": _access(view)[some].mean(axis=1),
            "noise_dbuv": view.noise_dbuv[some].mean(axis=1),
            "snr_up_db": view.snr_up_db[some].mean(axis=1),
            "snr_down_db": view.snr_down_db[some].mean(axis=1),
            "mode_up": names[view.mode_up[some]],
            "mode_down": names[view.mode_down[some]],
        }
    )


def _access(view: FeederView) -> Array:
    """(n, n_carriers) magnitude of the access impedance, mean over the mains half cycle [ohm]."""
    return np.asarray(np.einsum("nsc,s->nc", np.abs(view.access_ohm), view.state_share))


def _picture(view: FeederView, n_meters: int, site_id: str, served: Array, names: Array) -> FeederPicture:
    """The numbers of one area as they are drawn, the concentrator apart from the meters."""
    meter, own = np.flatnonzero(view.node < n_meters), int(np.flatnonzero(view.node >= n_meters)[0])
    access = _access(view)
    return FeederPicture(
        site_id,
        view.distance_m[meter],
        PHASES[view.phase[meter]],
        view.node[meter],
        served[view.node[meter]],
        view.loss_db[meter].mean(axis=1),
        names[view.mode_up[meter]],
        access[meter],
        access[own],
        view.noise_dbuv[meter],
        view.noise_dbuv[own],
        view.worst_noise_dbuv[own],
        view.snr_up_db[meter],
        view.snr_down_db[meter],
    )
