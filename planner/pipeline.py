"""One technology from the map to what arrives: links, sites, simulation."""

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
from .area_rows import area_rows
from .exchanges import Speakers, exchanges_of
from .feeders import feeders_of
from .links import links_of, worth_drawing
from .patches import Patch, patches_of
from .replicate import Replication
from .settings import PlannerSettings
from .simulate import Share, Task, share_of, simulate, together
from .siting import Choice, SitingModel, given_sites
from .tables import Deliveries, Feeders, Links

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
