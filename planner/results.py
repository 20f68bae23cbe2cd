"""One technology after all are simulated: what mends its unserved meters, what that costs, and its tables."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..channels.technology import Siting
from ..gis.area import ServiceArea
from .area_rows import area_kpis
from .catalogue import Catalogue
from .cost import cash_flows, summary
from .cure_prices import cure_prices
from .cure_rows import Settled, settled
from .cures import Mendings, mendings_of
from .economics import Economics
from .kpis import kpi_rows, meter_rows
from .network_quantities import network_quantities
from .patches import Patch
from .pipeline import Carried
from .quantities import NetworkQuantities, quantity_rows
from .remedies import CELLULAR, NONE, first_remedies
from .settings import PlannerSettings
from .tables import Plan, StudyResult

Array = NDArray[Any]


def cellular_serves(all_carried: list[Carried], n_meters: int) -> Array:
    """(n_meters,) bool: some operator technology of the study serves the meter in all services."""
    serves = np.zeros(n_meters, bool)
    for one in all_carried:
        if one.technology.siting is Siting.OPERATOR_CELL:
            serves |= one.deliveries.served.all(axis=0)
    return serves


def served_elsewhere(one: Carried, all_carried: list[Carried]) -> dict[str, Array]:
    """Other technologies of the study, by label, and the meters that each of them serves in all services."""
    return {
        other.technology.label: np.asarray(other.deliveries.served.all(axis=0))
        for other in all_carried
        if other.technology.name != one.technology.name
    }


def mended(patch: Patch, economics: Economics, cellular: Array) -> Mendings:
    """What mends the unserved meters of one area; a piece of work for any worker."""
    return mendings_of(patch, cure_prices(patch.technology.name, economics), cellular)


class Cures(NamedTuple):
    """Computed cures of one technology, by what becomes of meters that no change mends."""

    modules: Settled
    by_hand: Settled


def cures_of(
    one: Carried, all_carried: list[Carried], mendings: list[Mendings], cellular: Array, settings: PlannerSettings
) -> Cures | None:
    """The computed cures of one technology, its areas among ``mendings``; None where none was looked for."""
    mine = [found for found in mendings if found.modules.patch.technology.name == one.technology.name]
    if not mine:
        return None
    elsewhere, scenario = served_elsewhere(one, all_carried), settings.scenario.name
    prices = cure_prices(one.technology.name, settings.economics)
    return Cures(
        settled([found.modules for found in mine], elsewhere, cellular, scenario, prices),
        settled([found.by_hand for found in mine], elsewhere, np.zeros_like(cellular), scenario, prices),
    )


def result_of(
    one: Carried,
    cellular: Array,
    cures: Cures | None,
    area: ServiceArea,
    settings: PlannerSettings,
    catalogue: Catalogue,
) -> tuple[StudyResult, dict[str, Any]]:
    """Tables of one technology, and its cost summary.

    Cellular modules bring in a second technology, with an adapter that is paid once however few they are. So the plan
    is priced with modules and without, and the cheaper one stays.
    """
    mixed = _priced(one, cellular, None if cures is None else cures.modules, area, settings, catalogue)
    if not (mixed.remedies == CELLULAR).any():
        return _result(one, mixed, area, settings, catalogue)
    alone = _priced(one, np.zeros_like(cellular), None if cures is None else cures.by_hand, area, settings, catalogue)
    cheaper = alone if alone.totals["tco"] < mixed.totals["tco"] else mixed
    return _result(one, cheaper, area, settings, catalogue)


class _Priced(NamedTuple):
    """One technology with its remedies and what they cost; ``remedies`` (n_services, n_meters) str."""

    remedies: Array
    cures: Settled | None
    quantities: NetworkQuantities
    flows: pd.DataFrame
    totals: dict[str, Any]


def _priced(
    one: Carried,
    cellular: Array,
    cures: Settled | None,
    area: ServiceArea,
    settings: PlannerSettings,
    catalogue: Catalogue,
) -> _Priced:
    """Remedies of one technology where some meters may get cellular modules, and their cost."""
    technology = one.technology
    remedies = first_remedies(technology, one.deliveries, cellular, settings.remedies)
    if cures is not None:
        known = ~one.deliveries.served & (cures.remedy != NONE)
        remedies = np.where(known, cures.remedy, remedies)
    quantities = network_quantities(
        technology.name,
        technology.siting,
        one.links,
        one.choice.built,
        one.deliveries,
        one.exchanges,
        remedies,
        area,
        settings,
        cures,
    )
    flows = cash_flows(quantities, catalogue, settings.economics)
    return _Priced(remedies, cures, quantities, flows, summary(flows, quantities, settings.economics, catalogue))


def _result(
    one: Carried, priced: _Priced, area: ServiceArea, settings: PlannerSettings, catalogue: Catalogue
) -> tuple[StudyResult, dict[str, Any]]:
    scenario, technology, cures = settings.scenario.name, one.technology, priced.cures
    priced.flows.insert(0, "scenario", scenario)
    priced.flows.insert(1, "technology", technology.name)
    plan = Plan(one.choice.built, one.first.routes, one.choice.reached_ratio, one.choice.gap, one.choice.note)
    result = StudyResult(
        technology.name,
        scenario,
        one.links,
        plan,
        one.deliveries,
        meter_rows(technology, scenario, area, one.links, one.deliveries, priced.remedies),
        _kpis(one, scenario, area),
        priced.flows,
        quantity_rows(priced.quantities, catalogue, settings.economics),
        one.feeders,
        one.areas,
        None if cures is None else cures.meters,
        None if cures is None else cures.places,
    )
    return result, priced.totals


def _kpis(one: Carried, scenario: str, area: ServiceArea) -> pd.DataFrame:
    """Key figures of the technology, and on power lines those of its transformer areas."""
    rows = kpi_rows(one.technology, scenario, area, one.links, one.choice.built, one.deliveries)
    if one.areas is None:
        return rows
    more = area_kpis(one.areas, area.n_meters_in).assign(scenario=scenario, technology=one.technology.name)
    return pd.concat([rows, more], ignore_index=True)[list(rows.columns)]
