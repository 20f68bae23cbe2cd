"""The covering model: the fewest sites that reach enough demand points, solved by HiGHS within repeatable limits.

A demand point is one meter in one replication. Points with equal covering sets are merged, and above a limit points
are thinned by stable key. Limits of the solver are a gap and a count of nodes, never seconds, so that the same case
gives the same plan on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, hstack, identity

from ..channels.draws import mix
from ..channels.technology import Reach

Array = NDArray[Any]

MAX_NODES = 200
"""Branch-and-bound nodes after which the best plan found stands."""


@dataclass(frozen=True)
class Cover:
    """The answer: ``built`` (n_sites,) bool, share of the reachable demand reached (0 to 1), relative gap."""

    built: Array
    reached_ratio: float
    gap: float


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


def cover(
    rows: csr_array, weight: Array, fixed: Array, allowed: Array, *, target: float, at_least: int, gap: float
) -> Cover:
    """The cheapest sites that reach the target share of the demand.

    Parameters
    ----------
    rows : (n_points, n_sites)
        Ones where a site reaches a demand point; rows without any are left out beforehand.
    weight : (n_sites,) cost of a site;  fixed, allowed : (n_sites,) bool
    target : share of the points, 0 to 1;  at_least : fewest sites;  gap : relative gap at which the solver may stop.
    """
    n_sites = weight.size
    if rows.shape[0] == 0:
        return Cover(fixed.copy(), 0.0, 0.0)
    rows, demand = merged(rows)
    reach = np.asarray(rows.T @ demand).ravel()
    useful = np.asarray(allowed & (reach > 0))
    wanted = target * demand.sum()
    result = milp(
        # Among equally cheap plans the one whose sites reach more: a thousandth of a site never outweighs one.
        np.concatenate([weight - 1e-3 * reach / max(reach.max(), 1.0) / n_sites, np.zeros(rows.shape[0])]),
        constraints=_constraints(rows, demand, wanted, int(min(max(at_least, 1), (useful | fixed).sum()))),
        bounds=Bounds(
            np.concatenate([fixed.astype(float), np.zeros(rows.shape[0])]),
            np.concatenate([(useful | fixed).astype(float), np.ones(rows.shape[0])]),
        ),
        integrality=np.concatenate([np.ones(n_sites), np.zeros(rows.shape[0])]),
        options={"mip_rel_gap": gap, "node_limit": MAX_NODES},
    )
    if result.x is None:
        built = greedy(rows, demand, weight, fixed, useful, wanted)
    else:
        built = np.asarray(result.x[:n_sites] > 0.5)
    left = float("nan") if result.mip_gap is None else float(result.mip_gap)
    return Cover(built, reached_ratio(rows, built, demand), left)


def reached_ratio(rows: csr_array, built: Array, demand: Array | None = None) -> float:
    """Share of the demand points that the built sites reach, 0 to 1; 0 where there are none."""
    if rows.shape[0] == 0:
        return 0.0
    weight = np.ones(rows.shape[0]) if demand is None else demand
    reached = np.asarray(rows[:, np.flatnonzero(built)].sum(axis=1)).ravel() > 0
    return float(weight[reached].sum() / weight.sum())


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
