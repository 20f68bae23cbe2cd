"""One technology from the map to what arrives: links, sites, simulation, and after all technologies the remedies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..channels.technology import Exchanges, Siting, Technology
from ..gis.area import CandidateSites, ServiceArea
from .area_rows import area_kpis, area_rows
from .catalogue import Catalogue
from .cost import cash_flows, summary
from .cure_prices import cure_prices
from .cure_rows import Settled, settled
from .cures import Mending, mending_of
from .economics import Economics
from .exchanges import Speakers, exchanges_of
from .feeders import feeders_of
from .kpis import kpi_rows, meter_rows
from .links import links_of, worth_drawing
from .network_quantities import network_quantities
from .patches import Patch, patches_of
from .quantities import quantity_rows
from .remedies import NONE, first_remedies
from .replicate import Replication
from .settings import PlannerSettings
from .simulate import Share, Task, share_of, simulate, together
from .siting import Choice, SitingModel, given_sites
from .tables import Deliveries, Feeders, Links, Plan, StudyResult

Array = NDArray[Any]


class PlanningError(ValueError):
    """A technology cannot be planned with these inputs; the sentence names it and what is wrong."""


@dataclass(frozen=True)
class Sited:
    """One technology with its links and sites, before the simulation."""

    task: Task
    choice: Choice


@dataclass(frozen=True)
class Carried:
    """One technology after the simulation and before remedies and money.

    first_areas : rows of the areas from the first replications alone, where severities are compared with so many
    """

    task: Task
    choice: Choice
    deliveries: Deliveries
    first: Replication
    feeders: Feeders | None = None
    areas: pd.DataFrame | None = None
    patches: tuple[Patch, ...] = ()
    first_areas: pd.DataFrame | None = None

    @property
    def technology(self) -> Technology:
        """As the case has it."""
        return self.task.technology

    @property
    def links(self) -> Links:
        """All that it may use."""
        return self.task.links

    @property
    def exchanges(self) -> Exchanges:
        """Of all meters."""
        return self.task.exchanges


@contextmanager
def _naming(technology: Technology) -> Iterator[None]:
    """Whoever reads that inputs do not fit learns which technology they do not fit."""
    try:
        yield
    except ValueError as error:
        raise PlanningError(f"{technology.name}: {error}") from error


def carried(
    technology: Technology, area: ServiceArea, candidates: CandidateSites, settings: PlannerSettings
) -> Carried:
    """Links, sites and simulation of one technology in this process; raises PlanningError as its steps do."""
    one = sited(technology, area, candidates, settings)
    return settled_of(one, [replications_of(piece) for piece in pieces_of([one])], area, settings)


def sited(technology: Technology, area: ServiceArea, candidates: CandidateSites, settings: PlannerSettings) -> Sited:
    """Links and sites of one technology; raises PlanningError where the inputs do not fit it."""
    with _naming(technology):
        return _sited(technology, area, candidates, settings)


class Piece(NamedTuple):
    """Some replications of one technology."""

    task: Task
    numbers: range


def pieces_of(all_sited: Sequence[Sited]) -> list[Piece]:
    """What is to be simulated, replications of all technologies some at a time."""
    return [Piece(one.task, numbers) for one in all_sited for numbers in one.task.pieces]


def replications_of(piece: Piece) -> Share:
    """Some replications of one technology; raises PlanningError where the inputs do not fit it."""
    with _naming(piece.task.technology):
        return share_of(*piece)


def settled_of(one: Sited, shares: Sequence[Share], area: ServiceArea, settings: PlannerSettings) -> Carried:
    """One technology when all its replications are in, ``shares`` in their order."""
    task, technology = one.task, one.task.technology
    with _naming(technology):
        done = together(task, shares)
        areas, first_areas = (
            area_rows(tally, technology.name, settings.scenario.name, area) if tally is not None else None
            for tally in (done.areas, None if done.areas is None else done.areas.first)
        )
        feeders = feeders_of(
            technology,
            task.links,
            done.deliveries,
            area.meters["meter_id"].to_numpy(object),
            done.first.scenario,
            done.first.draws,
        )
        patches: tuple[Patch, ...] = ()
        if done.areas is not None:
            most = technology.load(task.exchanges, done.first.paths, done.first.quality).max_meters_per_site
            patches = patches_of(
                technology, task.links, task.exchanges, done.deliveries, done.areas.p_arrive, most, area, settings
            )
        return Carried(task, one.choice, done.deliveries, done.first, feeders, areas, patches, first_areas)


def _sited(technology: Technology, area: ServiceArea, candidates: CandidateSites, settings: PlannerSettings) -> Sited:
    keys, kinds = area.meters["key"].to_numpy(np.uint64), area.meters["kind"].to_numpy(object)
    speakers = Speakers(keys, kinds, settings.simulation.seed)
    exchanges = exchanges_of(area.n_meters, technology.exchange_policy, settings.service, settings.session, speakers)
    if technology.siting is Siting.CANDIDATE_SITE:
        choice = _chosen_sites(technology, area, candidates, exchanges, settings)
        links = links_of(technology, area, candidates, built=choice.built)
    else:
        links = links_of(technology, area, candidates, cables=settings.cables)
        choice = given_sites(technology, links)
    links = worth_drawing(links, technology, settings.scenario)
    apart, transformer = settings.severities.replications, area.meters["transformer"].to_numpy(np.int64)
    known = settings.severities.compare and apart <= settings.simulation.replications
    task = replace(
        _task(technology, links, exchanges, choice, settings), transformer=transformer, n_apart=apart if known else 0
    )
    return Sited(task, choice)


def _task(
    technology: Technology, links: Links, exchanges: Exchanges, choice: Choice, settings: PlannerSettings
) -> Task:
    """The simulation that the settings ask for."""
    return Task(
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


def _chosen_sites(
    technology: Technology,
    area: ServiceArea,
    candidates: CandidateSites,
    exchanges: Exchanges,
    settings: PlannerSettings,
) -> Choice:
    """Sites by reach; then more of them while they pay: airtime and sub-trees may ask for more than reach does."""
    siting = settings.siting
    near = worth_drawing(
        links_of(technology, area, candidates, most_sites=siting.most_sites), technology, settings.scenario
    )
    model = SitingModel(
        technology, near, exchanges, settings.scenario, settings.simulation.seed, siting, settings.positions
    )
    best = model.choose()
    n_read = _expected_reads(technology, area, candidates, exchanges, best, settings)
    for _ in range(siting.growth_rounds):
        if n_read >= siting.target * area.n_meters or best.built.all() or not best.built.any():
            break
        choice = model.choose(int(np.ceil(best.built.sum() * siting.growth)))
        more = _expected_reads(technology, area, candidates, exchanges, choice, settings)
        if more < n_read + siting.meters_per_added_site * (choice.built.sum() - best.built.sum()):
            break
        best, n_read = choice, more
    return best


def _expected_reads(
    technology: Technology,
    area: ServiceArea,
    candidates: CandidateSites,
    exchanges: Exchanges,
    choice: Choice,
    settings: PlannerSettings,
) -> float:
    """Meters read in all services by the deadline with these sites: the sum of probabilities over a short trial."""
    links = links_of(technology, area, candidates, built=choice.built)
    links = worth_drawing(links, technology, settings.scenario)
    trial = replace(settings.simulation, replications=settings.siting.replications)
    done = simulate(replace(_task(technology, links, exchanges, choice, settings), settings=trial))
    return float(done.deliveries.p_read_deadline.min(axis=0).sum())


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


def mended(patch: Patch, economics: Economics, cellular: Array) -> Mending:
    """What mends the unserved meters of one area; a piece of work for any worker."""
    return mending_of(patch, cure_prices(patch.technology.name, economics), cellular)


def cures_of(
    one: Carried, all_carried: list[Carried], mendings: list[Mending], cellular: Array, settings: PlannerSettings
) -> Settled | None:
    """The computed cures of one technology, its areas among ``mendings``; None where none was looked for."""
    mine = [found for found in mendings if found.patch.technology.name == one.technology.name]
    if not mine:
        return None
    return settled(mine, served_elsewhere(one, all_carried), cellular, settings.scenario.name)


def result_of(
    one: Carried,
    cellular: Array,
    cures: Settled | None,
    area: ServiceArea,
    settings: PlannerSettings,
    catalogue: Catalogue,
) -> tuple[StudyResult, dict[str, Any]]:
    """Tables of one technology, and its cost summary."""
    scenario, technology = settings.scenario.name, one.technology
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
    flows.insert(0, "scenario", scenario)
    flows.insert(1, "technology", technology.name)
    plan = Plan(one.choice.built, one.first.routes, one.choice.reached_ratio, one.choice.gap, one.choice.note)
    result = StudyResult(
        technology.name,
        scenario,
        one.links,
        plan,
        one.deliveries,
        meter_rows(technology, scenario, area, one.links, one.deliveries, remedies),
        _kpis(one, scenario, area),
        flows,
        quantity_rows(quantities, catalogue, settings.economics),
        one.feeders,
        one.areas,
        None if cures is None else cures.meters,
        None if cures is None else cures.places,
    )
    return result, summary(flows, quantities, settings.economics, catalogue)


def _kpis(one: Carried, scenario: str, area: ServiceArea) -> pd.DataFrame:
    """Key figures of the technology, and on power lines those of its transformer areas."""
    rows = kpi_rows(one.technology, scenario, area, one.links, one.choice.built, one.deliveries)
    if one.areas is None:
        return rows
    more = area_kpis(one.areas, area.n_meters_in).assign(scenario=scenario, technology=one.technology.name)
    return pd.concat([rows, more], ignore_index=True)[list(rows.columns)]
