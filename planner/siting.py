"""What to build: concentrators at transformers, collectors and gateways from candidates, cells as given.

Gateways and collectors are chosen by a covering model over sampled replications: a demand point is one meter in one
replication (one draw of its place in the building and of its shadowing), so that diversity over several sites counts.
Demand points with equal covering sets are merged. SciPy's HiGHS solves it; limits are counts of nodes, never seconds,
so that the same case gives the same plan on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, hstack, identity

from ..channels.draws import Draws, mix
from ..channels.technology import Exchanges, Reach, Scenario, Siting, Technology, parameter
from .links import drawn
from .positions import PositionMix
from .tables import Links

Array = NDArray[Any]


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
        "sites are multiplied by this while airtime, not reach, leaves more meters unserved than the target allows",
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
        "meters that each such further site must bring in, else it is not built",
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


@dataclass(frozen=True)
class SitingModel:
    """The question of where to build, before it is answered.

    covering : demand points (one meter in one replication) by sites, ones where the site reaches the point.
    n_points : demand points before those that no site reaches were left out and the rest thinned.
    reachable_ratio : share of all demand points that some allowed site reaches.
    weight : (n_sites,) cost of a site in own sites;  fixed, allowed : (n_sites,) bool
    at_least : sites that airtime and equipment limits ask for.
    """

    covering: csr_array
    reachable_ratio: float
    weight: Array
    fixed: Array
    allowed: Array
    at_least: int
    settings: SitingSettings

    def choose(self, at_least: int = 0) -> Choice:
        """The cheapest sites that reach the target, at least ``at_least`` of them."""
        fewest = max(self.at_least, at_least)
        return _cover(self.covering, self.weight, self.fixed, self.allowed, fewest, self.settings, self.reachable_ratio)


def given_sites(technology: Technology, links: Links) -> Choice:
    """The sites of a technology that leaves nothing to choose: its transformers, or the operator's cells."""
    n_sites = links.paths.n_sites
    if technology.siting is Siting.TRANSFORMER:
        serves = np.asarray(links.sites["n_meters"].to_numpy() > 0) if n_sites else np.zeros(0, bool)
        return Choice(serves, 1.0, 1.0, 0.0, f"one concentrator in each of {int(serves.sum())} transformers")
    return Choice(np.ones(n_sites, bool), 1.0, 1.0, 0.0, f"{n_sites} operator cells taken as they are")


def siting_model(
    technology: Technology,
    links: Links,
    exchanges: Exchanges,
    scenario: Scenario,
    seed: int,
    settings: SitingSettings,
    places: PositionMix,
) -> SitingModel:
    """The covering model of one technology over its candidate sites.

    Raises ValueError where a fixed or excluded site id is unknown.
    """
    fixed, allowed = _fixed_and_allowed(links, settings)
    rows, at_least = _demand(technology, links, exchanges, scenario, seed, settings, places, allowed)
    reachable = float((np.diff(rows.indptr) > 0).mean()) if rows.shape[0] else 0.0
    keep = thinned(rows, links.paths.node_key[: links.paths.n_meters], settings.max_demand_points)
    weight = np.where(links.sites["owner"].to_numpy() == "third_party", settings.third_party_weight, 1.0)
    return SitingModel(rows[keep], reachable, weight, fixed, allowed, at_least, settings)


def _fixed_and_allowed(links: Links, settings: SitingSettings) -> tuple[Array, Array]:
    ids = links.sites["site_id"].to_numpy().astype(str)
    unknown = [one for one in (*settings.fixed, *settings.excluded) if one not in set(ids)]
    if unknown:
        raise ValueError(f"site {unknown[0]!r} is not among the {ids.size} candidate sites; see the layer sites")
    return np.isin(ids, settings.fixed), ~np.isin(ids, settings.excluded)


def _demand(
    technology: Technology,
    links: Links,
    exchanges: Exchanges,
    scenario: Scenario,
    seed: int,
    settings: SitingSettings,
    places: PositionMix,
    allowed: Array,
) -> tuple[csr_array, int]:
    """Demand points by sites, and the least number of sites that airtime and equipment limits allow."""
    reaches, at_least = [], 0
    for replication in range(settings.replications):
        draws = Draws(seed, replication)
        paths = drawn(links.paths, places, draws)
        quality = technology.assess(paths, scenario, draws)
        reach = technology.reach(paths, quality)
        reaches.append(reach)
        load = technology.load(exchanges, paths, quality)
        reached = np.unique(reach.meter)
        by_time = float(load.meter_airtime_s[reached].sum()) / max(load.site_capacity_s, 1e-9)
        at_least = max(at_least, int(np.ceil(by_time)), int(np.ceil(reached.size / load.max_meters_per_site)))
    return covering_rows(reaches, links.paths.n_meters, links.paths.n_sites, allowed), at_least


def covering_rows(reaches: Iterable[Reach], n_meters: int, n_sites: int, allowed: Array) -> csr_array:
    """Demand points (replication by meter, row ``replication * n_meters + meter``) by sites, ones where reached."""
    reaches = list(reaches)
    row = np.concatenate([number * n_meters + one.meter.astype(np.int64) for number, one in enumerate(reaches)])
    column = np.concatenate([one.site for one in reaches])
    good = allowed[column]
    shape = (len(reaches) * n_meters, n_sites)
    return csr_array(coo_array((np.ones(int(good.sum())), (row[good], column[good])), shape=shape))


def thinned(rows: csr_array, meter_keys: Array, most: int) -> Array:
    """Rows of the covering model that are kept: those reachable at all, at most ``most``, chosen by stable key."""
    reachable = np.flatnonzero(np.diff(rows.indptr) > 0)
    if reachable.size <= most:
        return reachable
    replication, meter = np.divmod(reachable, meter_keys.size)
    rank = mix(meter_keys[meter] ^ mix(replication.astype(np.uint64)))
    return np.sort(reachable[np.argsort(rank, kind="stable")[:most]])


def merged(rows: csr_array) -> tuple[csr_array, Array]:
    """Rows with equal covering sets merged: the different rows, and how many each stands for."""
    rows.sort_indices()
    sets: dict[bytes, int] = {}
    first: list[int] = []
    weight: list[int] = []
    for row in range(rows.shape[0]):
        key = rows.indices[rows.indptr[row] : rows.indptr[row + 1]].tobytes()
        if key in sets:
            weight[sets[key]] += 1
        else:
            sets[key] = len(first)
            first.append(row)
            weight.append(1)
    return rows[np.array(first, np.int64)], np.array(weight, float)


def _cover(
    covering: csr_array,
    weight: Array,
    fixed: Array,
    allowed: Array,
    at_least: int,
    settings: SitingSettings,
    reachable_ratio: float = 1.0,
) -> Choice:
    n_sites = weight.size
    if covering.shape[0] == 0:
        return Choice(fixed.copy(), 0.0, 0.0, 0.0, "no candidate site reaches any meter")
    rows, demand = merged(covering)
    reach = np.asarray(rows.T @ demand).ravel()
    useful = allowed & (reach > 0)
    target = settings.target * demand.sum()
    result = milp(
        # Among equally cheap plans the one whose sites reach more: a thousandth of a site never outweighs one.
        np.concatenate([weight - 1e-3 * reach / max(reach.max(), 1.0) / n_sites, np.zeros(rows.shape[0])]),
        constraints=_constraints(rows, demand, target, int(min(max(at_least, 1), (useful | fixed).sum()))),
        bounds=Bounds(
            np.concatenate([fixed.astype(float), np.zeros(rows.shape[0])]),
            np.concatenate([(useful | fixed).astype(float), np.ones(rows.shape[0])]),
        ),
        integrality=np.concatenate([np.ones(n_sites), np.zeros(rows.shape[0])]),
        options={"mip_rel_gap": settings.gap, "node_limit": 200},
    )
    built = result.x[:n_sites] > 0.5 if result.x is not None else greedy(rows, demand, weight, fixed, useful, target)
    gap = float(result.mip_gap) if result.x is not None and result.mip_gap is not None else float("nan")
    covered = float(demand[np.asarray(rows[:, np.flatnonzero(built)].sum(axis=1)).ravel() > 0].sum())
    note = (
        f"{int(built.sum())} of {n_sites} candidate sites built; they reach {covered / demand.sum():.1%} of what any "
        f"candidate reaches (target {settings.target:.1%}), which is {reachable_ratio:.1%} of all meters"
    )
    return Choice(built, reachable_ratio, covered / demand.sum() * reachable_ratio, gap, note)


def _constraints(rows: csr_array, demand: Array, target: float, fewest: int) -> list[LinearConstraint]:
    """A demand point counts only where a built site reaches it; enough of them count; enough sites stand."""
    n_rows, n_sites = rows.shape
    reached = csr_array(hstack([rows, -identity(n_rows)]))
    enough = np.concatenate([np.zeros(n_sites), demand])[None, :]
    count = np.concatenate([np.ones(n_sites), np.zeros(n_rows)])[None, :]
    return [
        LinearConstraint(reached, 0.0, np.inf),
        LinearConstraint(enough, target, np.inf),
        LinearConstraint(count, fewest, np.inf),
    ]


def greedy(rows: csr_array, demand: Array, weight: Array, fixed: Array, useful: Array, target: float) -> Array:
    """Sites by steepest gain per weight until the target is met: the fallback where HiGHS finds none."""
    built = fixed.copy()
    by_site = rows.tocsc()
    open_demand = demand.copy()
    for site in np.flatnonzero(built):
        open_demand[by_site.indices[by_site.indptr[site] : by_site.indptr[site + 1]]] = 0.0
    while demand.sum() - open_demand.sum() < target - 1e-9:
        gain = np.where(useful & ~built, (rows.T @ open_demand) / weight, -1.0)
        best = int(np.argmax(gain))
        if gain[best] <= 0:
            break
        built[best] = True
        open_demand[by_site.indices[by_site.indptr[best] : by_site.indptr[best + 1]]] = 0.0
    return built
