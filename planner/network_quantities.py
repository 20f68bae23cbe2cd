"""From what was planned and what arrived to the quantities that the cost model prices."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.technology import Exchanges, Siting
from ..gis.area import ServiceArea
from .cure_rows import Settled
from .plan_numbers import CHANGES
from .quantities import NetworkQuantities, SiteGroup, megabytes_per_meter_year
from .remedies import NONE, RECORD, REPEATER
from .settings import PlannerSettings
from .tables import Deliveries, Links

Array = NDArray[Any]

DAY_S = 86_400.0


def network_quantities(
    name: str,
    siting: Siting,
    links: Links,
    built: Array,
    deliveries: Deliveries,
    exchanges: Exchanges,
    remedies: Array,
    area: ServiceArea,
    settings: PlannerSettings,
    cures: Settled | None = None,
) -> NetworkQuantities:
    """Quantities of one technology; meters that the audit listed count as not served.

    Parameters
    ----------
    remedies : (n_services, n_meters) str
        First remedy where a service is not served; a meter is counted once, with the remedy of its last such service.
    cures : computed ones: devices and changes that several meters share are counted once
    """
    n_served = int(deliveries.served.all(axis=0).sum())
    counts = Counter(one_remedy_each(remedies).tolist())
    counts.pop(NONE, None)
    listed = area.n_meters_in - area.n_meters
    if listed:
        counts[RECORD] += listed
    operator = siting is Siting.OPERATOR_CELL
    return NetworkQuantities(
        technology=name,
        n_meters_in=area.n_meters_in,
        n_served=n_served,
        remedies=dict(sorted(counts.items())),
        n_relays=cures.n_changes[REPEATER] if cures is not None else 0,
        n_repeated=cures.n_computed[REPEATER] if cures is not None else 0,
        changes={kind: cures.n_changes[kind] for kind in CHANGES} if cures is not None else {},
        sites=() if operator else site_groups(links, built, settings.backhaul.own_sites),
        operator=operator,
        n_meters_3ph=int((area.meters["phases"] == 3).sum()),
        mb_per_meter_year=megabytes_per_meter_year(float(exchanges.bytes.sum()) / max(area.n_meters, 1), DAY_S),
    )


def one_remedy_each(remedies: Array) -> Array:
    """(n_meters,) the remedy of each meter: that of its last service that is not served, empty where all are."""
    chosen = remedies[0].copy()
    for row in remedies[1:]:
        chosen = np.where(row == NONE, chosen, row)
    return np.asarray(chosen)


def site_groups(links: Links, built: Array, backhaul: str) -> tuple[SiteGroup, ...]:
    """Own sites that are built, by kind and owner."""
    sites = links.sites[built]
    groups = Counter(zip(sites["kind"].astype(str), sites["owner"].astype(str), strict=True))
    return tuple(SiteGroup(kind, owner, backhaul, number) for (kind, owner), number in sorted(groups.items()))
