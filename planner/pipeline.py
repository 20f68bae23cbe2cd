"""One technology from the map to what arrives: links, sites, simulation, and after all technologies the remedies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.technology import Exchanges, Siting, Technology
from ..gis.area import CandidateSites, ServiceArea
from .catalogue import Catalogue
from .cost import cash_flows, summary
from .exchanges import exchanges_of
from .kpis import kpi_rows, meter_rows
from .links import links_of, to_built
from .network_quantities import network_quantities
from .quantities import quantity_rows
from .remedies import first_remedies
from .settings import PlannerSettings
from .simulate import Replication, simulate
from .siting import Choice, choose_sites
from .tables import Deliveries, Links, Plan, StudyResult

Array = NDArray[Any]


@dataclass(frozen=True)
class Carried:
    """One technology after the simulation and before remedies and money."""

    technology: Technology
    exchanges: Exchanges
    links: Links
    choice: Choice
    deliveries: Deliveries
    first: Replication


def carried(
    technology: Technology, area: ServiceArea, candidates: CandidateSites, settings: PlannerSettings
) -> Carried:
    """Links, sites and simulation of one technology."""
    exchanges = exchanges_of(area.n_meters, technology.exchange_policy, settings.service, settings.session)
    links = links_of(technology, area, candidates)
    choice = choose_sites(
        technology,
        links,
        exchanges,
        settings.scenario,
        settings.simulation.seed,
        settings.siting,
        settings.positions,
    )
    links = to_built(links, choice.built)
    deliveries, first = simulate(
        technology,
        links,
        exchanges,
        choice.built,
        settings.scenario,
        settings.positions,
        settings.simulation,
        settings.backhaul,
        settings.service,
    )
    return Carried(technology, exchanges, links, choice, deliveries, first)


def cellular_serves(all_carried: list[Carried], n_meters: int) -> Array:
    """(n_meters,) bool: some operator technology of the study serves the meter in all services."""
    serves = np.zeros(n_meters, bool)
    for one in all_carried:
        if one.technology.siting is Siting.OPERATOR_CELL:
            serves |= one.deliveries.served.all(axis=0)
    return serves


def result_of(
    one: Carried, cellular: Array, area: ServiceArea, settings: PlannerSettings, catalogue: Catalogue
) -> tuple[StudyResult, dict[str, Any]]:
    """Tables of one technology, and its cost summary."""
    scenario, technology = settings.scenario.name, one.technology
    remedies = first_remedies(technology, one.deliveries, cellular, settings.remedies)
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
    )
    flows = cash_flows(quantities, catalogue, settings.economics)
    flows.insert(0, "scenario", scenario)
    flows.insert(1, "technology", technology.name)
    plan = Plan(one.choice.built, one.first.routes, int(round(one.choice.n_covered)), one.choice.gap, one.choice.note)
    result = StudyResult(
        technology.name,
        scenario,
        one.links,
        plan,
        one.deliveries,
        meter_rows(technology, scenario, area, one.links, one.deliveries, remedies),
        kpi_rows(technology, scenario, area, one.links, one.choice.built, one.deliveries),
        flows,
        quantity_rows(quantities, catalogue, settings.economics),
    )
    return result, summary(flows, quantities, settings.economics, catalogue)
