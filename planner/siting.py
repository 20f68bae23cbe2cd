"""What to build: concentrators at transformers, collectors and gateways from candidates, cells as given.

Gateways and collectors are chosen by a covering model (``covering``) over sampled replications: a demand point is one
meter in one replication (one draw of its place in the building and of its shadowing), so that diversity over several
sites counts. The replications of siting are not those of the simulation: a plan is never judged on the draws it was
made for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ..channels.draws import Draws
from ..channels.parameters import parameter
from ..channels.scenario import Scenario
from ..channels.technology import Exchanges, Reach, Siting, Technology
from .covering import Cover, cover, covering_rows, reached_ratio, thinned
from .links import drawn
from .positions import PositionMix
from .tables import Links

Array = NDArray[Any]

FIRST_REPLICATION = 1_000_000
"""Number of the first replication that siting draws; the simulation counts from 0."""


@dataclass(frozen=True)
class SitingSettings:
    """How candidate sites are chosen."""

    target: float = parameter(
        0.995,
        "1",
        "share of the reachable meters that the chosen sites must reach",
        "USERS journey 1: 98.5 % and 99.5 % targets",
        confidence="C",
        minimum=0.0,
        maximum=1.0,
    )
    replications: int = parameter(
        4, "1", "sampled replications that siting must hold in", "choice of amiplan", confidence="C", minimum=1
    )
    max_replications: int = parameter(
        16,
        "1",
        "sampled replications at most, where the plan does not hold in fresh ones",
        "choice of amiplan",
        confidence="C",
        minimum=1,
    )
    tolerance: float = parameter(
        0.005,
        "1",
        "what the plan may miss of the target in fresh replications",
        "choice of amiplan",
        confidence="C",
        minimum=0.0,
        maximum=1.0,
    )
    max_demand_points: int = parameter(
        3000,
        "1",
        "demand points in the covering model; more are thinned by stable key",
        "choice of amiplan",
        confidence="C",
        minimum=10,
    )
    gap: float = parameter(
        0.02, "1", "relative gap at which the solver may stop", "choice of amiplan", confidence="C", minimum=0.0
    )
    growth: float = parameter(
        1.5,
        "1",
        "sites are multiplied by this while fewer meters are read than the target asks and more sites pay",
        "choice of amiplan",
        confidence="C",
        minimum=1.05,
    )
    growth_rounds: int = parameter(
        3, "1", "how often at most", "choice of amiplan", confidence="C", minimum=0, maximum=10
    )
    meters_per_added_site: float = parameter(
        15.0,
        "1",
        "expected meters read that each such further site must bring in, else it is not built",
        "break-even: about 800 EUR a year for a gateway against 50 EUR a year for a meter served otherwise",
        confidence="C",
        minimum=0.0,
    )
    most_sites: int = parameter(
        40,
        "1",
        "nearest candidate sites of a meter that the choice looks at",
        "choice of amiplan",
        confidence="C",
        minimum=1,
    )
    third_party_weight: float = parameter(
        1.5, "1", "a third party's site counts as this many own sites", "choice of amiplan", confidence="C", minimum=1.0
    )
    fixed: tuple[str, ...] = parameter((), "-", "site ids that are built in any case", "choice of the planner")
    excluded: tuple[str, ...] = parameter((), "-", "site ids that must not be used", "choice of the planner")


@dataclass(frozen=True)
class Choice:
    """Sites to build: ``built`` (n_sites,) bool, share of all meters reachable and reached, gap, one sentence."""

    built: Array
    reachable_ratio: float
    reached_ratio: float
    gap: float
    note: str


@dataclass
class SitingModel:
    """The question of where to build; replications are sampled as the answer needs them.

    The plan is made on a sample of replications and tried on as many fresh ones. Where it reaches less there than the
    target allows, the fresh ones join the sample and the plan is made again (sample average approximation), so that a
    village does not hang on one link that happened to be good in four draws.

    References
    ----------
    A. J. Kleywegt, A. Shapiro, T. Homem-de-Mello, "The sample average approximation method for stochastic discrete
    optimization", SIAM J. Optimization 12 (2), 2002.
    """

    technology: Technology
    links: Links
    exchanges: Exchanges
    scenario: Scenario
    seed: int
    settings: SitingSettings
    places: PositionMix

    def __post_init__(self) -> None:
        self.fixed, self.allowed = _fixed_and_allowed(self.links, self.settings)
        third = self.links.sites["owner"].to_numpy() == "third_party"
        self.weight = np.where(third, self.settings.third_party_weight, 1.0)
        self._samples: list[_Sample] = []

    def choose(self, at_least: int = 0) -> Choice:
        """The cheapest sites that reach the target also in replications they were not chosen for."""
        size = self.settings.replications
        while True:
            rows, reachable = self._demand(0, size)
            fewest = max(at_least, *(one.at_least for one in self._samples[:size]))
            plan = cover(
                rows,
                self.weight,
                self.fixed,
                self.allowed,
                target=self.settings.target,
                at_least=fewest,
                gap=self.settings.gap,
            )
            if 2 * size > self.settings.max_replications:
                return self._choice(plan, rows, reachable)
            fresh, _ = self._demand(size, 2 * size)
            if reached_ratio(fresh, plan.built) >= self.settings.target - self.settings.tolerance:
                return self._choice(plan, fresh, reachable)
            size *= 2

    def _demand(self, first: int, end: int) -> tuple[csr_array, float]:
        """Thinned demand points of some replications by sites, and the share of all points that are reachable."""
        while len(self._samples) < end:
            self._samples.append(self._sample(len(self._samples)))
        n_meters, n_sites = self.links.paths.n_meters, self.links.paths.n_sites
        rows = covering_rows((one.reach for one in self._samples[first:end]), n_meters, n_sites, self.allowed)
        reachable = float((np.diff(rows.indptr) > 0).mean()) if rows.shape[0] else 0.0
        keep = thinned(rows, self.links.paths.node_key[:n_meters], self.settings.max_demand_points)
        return rows[keep], reachable

    def _sample(self, number: int) -> _Sample:
        draws = Draws(self.seed, FIRST_REPLICATION + number)
        paths = drawn(self.links.paths, self.places, draws)
        quality = self.technology.assess(paths, self.scenario, draws)
        reach = self.technology.reach(paths, quality)
        load = self.technology.load(self.exchanges, paths, quality)
        reached = np.unique(reach.meter)
        by_time = float(load.meter_airtime_s[reached].sum()) / max(load.site_capacity_s, 1e-9)
        return _Sample(reach, max(int(np.ceil(by_time)), int(np.ceil(reached.size / load.max_meters_per_site))))

    def _choice(self, plan: Cover, rows: csr_array, reachable: float) -> Choice:
        if not plan.built.any():
            return Choice(plan.built, reachable, 0.0, 0.0, "no candidate site reaches any meter")
        reached = reached_ratio(rows, plan.built)
        note = (
            f"{int(plan.built.sum())} of {plan.built.size} candidate sites built; in draws they were not chosen for "
            f"they reach {reached:.1%} of what any candidate reaches, which is {reachable:.1%} of all meters"
        )
        return Choice(plan.built, reachable, reached * reachable, plan.gap, note)


@dataclass(frozen=True)
class _Sample:
    """What one replication says: who reaches whom, and the fewest sites that airtime and equipment allow."""

    reach: Reach
    at_least: int


def given_sites(technology: Technology, links: Links) -> Choice:
    """The sites of a technology that leaves nothing to choose: its transformers, or the operator's cells."""
    n_sites = links.paths.n_sites
    if technology.siting is Siting.TRANSFORMER:
        serves = np.asarray(links.sites["n_meters"].to_numpy() > 0) if n_sites else np.zeros(0, bool)
        return Choice(serves, 1.0, 1.0, 0.0, f"one concentrator in each of {int(serves.sum())} transformers")
    return Choice(np.ones(n_sites, bool), 1.0, 1.0, 0.0, f"{n_sites} operator cells taken as they are")


def _fixed_and_allowed(links: Links, settings: SitingSettings) -> tuple[Array, Array]:
    ids = links.sites["site_id"].to_numpy().astype(str)
    unknown = [one for one in (*settings.fixed, *settings.excluded) if one not in set(ids)]
    if unknown:
        raise ValueError(f"site {unknown[0]!r} is not among the {ids.size} candidate sites; see the layer sites")
    both = set(settings.fixed) & set(settings.excluded)
    if both:
        raise ValueError(f"site {min(both)!r} is both fixed and excluded; take it out of one of the lists")
    return np.isin(ids, settings.fixed), ~np.isin(ids, settings.excluded)
