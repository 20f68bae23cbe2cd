"""What a planner asks of each transformer area: who is read, over how many hops, in which modes, through whom, by when.

The numbers of an area are collected replication by replication into arrays of areas, never of links.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.paths import CablePaths
from ..channels.technology import Exchanges, LinkQuality, Medium, Outcome, Routes, Technology
from ..meters.services import is_profile
from .resampling import resampled_by_group

Array = NDArray[Any]

HOP_COLUMNS = ("no_route_ratio", "direct_ratio", "hops_2_ratio", "hops_3_ratio", "hops_4_ratio")
"""Meters by hops to the concentrator: none, one, two, three, four and more."""
HALF = 0.5
"""A replication counts a meter as read where it is so more probably than not."""


@dataclass
class AreaTally:
    """Sums over replications. The last area, ``n_sites``, holds the meters that no transformer is known for.

    owner : (n_meters,) area of each meter
    mode_group : (n_modes + 1,) row in ``mode_names`` of each mode, the last for none
    read : (n_replications, n_areas) mean over the area's meters of the probability to be read in all services
    read_all_s, reached_s : (n_replications, n_areas) when the last meter's day profile was there, inf where not all
        are read; likewise of those that are read, 0 where none is
    hops : (n_areas, len(HOP_COLUMNS)) meters;  modes : (n_areas, n_groups) links in use, each direction once
    forwarding_s, dependants : (n_meters,) channel time for others [s] and meters behind, summed over replications
    served : (n_areas, 3) meters served, and P10 and P90 of that number over resampled replications
    p_arrive : (n_replications, n_services, n_meters) at the head end, once settled
    first : tally of the first replications alone, where it is kept
    """

    owner: Array
    mode_names: tuple[str, ...]
    mode_group: Array
    read: Array
    read_all_s: Array
    reached_s: Array
    hops: Array
    modes: Array
    forwarding_s: Array
    dependants: Array
    served: Array
    p_arrive: Array
    first: AreaTally | None = None

    @classmethod
    def of(cls, technology: Technology, transformer: Array, n_sites: int, n_replications: int) -> AreaTally:
        """An empty tally.

        Parameters
        ----------
        transformer : (n_meters,) site row of each meter's area, -1 where none is known
        """
        names = [waveform_of(mode) for mode in technology.modes]
        kinds = tuple(dict.fromkeys(names))
        group = np.array([*(kinds.index(name) for name in names), len(kinds)])
        n_areas, n = n_sites + 1, transformer.size
        return cls(
            np.where(transformer >= 0, transformer, n_sites),
            kinds,
            group,
            np.zeros((n_replications, n_areas)),
            np.full((n_replications, n_areas), np.inf),
            np.zeros((n_replications, n_areas)),
            np.zeros((n_areas, len(HOP_COLUMNS))),
            np.zeros((n_areas, len(kinds) + 1)),
            np.zeros(n),
            np.zeros(n),
            np.zeros((n_areas, 3)),
            np.zeros((n_replications, 0, n)),
        )

    @property
    def n_meters(self) -> Array:
        """(n_areas,) usable meters of each area."""
        return np.bincount(self.owner, minlength=self.hops.shape[0])

    def add(
        self,
        row: int,
        technology: Technology,
        exchanges: Exchanges,
        paths: CablePaths,
        quality: LinkQuality,
        routes: Routes,
        outcome: Outcome,
    ) -> None:
        """One replication; ``outcome`` is that at the head end."""
        n_areas = self.hops.shape[0]
        total = np.bincount(self.owner, outcome.p_arrive.min(axis=0), minlength=n_areas)
        self.read[row] = total / np.maximum(self.n_meters, 1)
        self._add_times(row, exchanges, outcome)
        np.add.at(self.hops, (self.owner, np.minimum(routes.hops, len(HOP_COLUMNS) - 1)), 1)
        self._add_modes(paths, quality, routes)
        behind = meters_behind(routes)
        self.dependants += behind
        self.forwarding_s += forwarding_s(technology, exchanges, paths, quality, routes)
        if self.first is not None and row < self.first.read.shape[0]:
            self.first.add(row, technology, exchanges, paths, quality, routes, outcome)

    @classmethod
    def together(cls, parts: Sequence[AreaTally]) -> AreaTally:
        """The replications of all parts, one after another; not settled."""
        one, firsts = parts[0], [part.first for part in parts if part.first is not None]

        def joined(name: str) -> Array:
            return np.concatenate([getattr(part, name) for part in parts])

        def added(name: str) -> Array:
            return np.asarray(reduce(np.add, [getattr(part, name) for part in parts]))

        return replace(
            one,
            read=joined("read"),
            read_all_s=joined("read_all_s"),
            reached_s=joined("reached_s"),
            p_arrive=joined("p_arrive"),
            hops=added("hops"),
            modes=added("modes"),
            forwarding_s=added("forwarding_s"),
            dependants=added("dependants"),
            first=cls.together(firsts) if firsts else None,
        )

    def _add_times(self, row: int, exchanges: Exchanges, outcome: Outcome) -> None:
        wanted = [is_profile(service) for service in exchanges.services]
        some = np.array(wanted) if any(wanted) else np.ones(len(wanted), bool)
        took_s, p_read = outcome.latency_p50_s[some].max(axis=0), outcome.p_arrive[some].min(axis=0)
        read = (p_read >= HALF) & np.isfinite(took_s)
        latest = np.zeros(self.hops.shape[0])
        np.maximum.at(latest, self.owner[read], took_s[read])
        all_read = np.bincount(self.owner[read], minlength=latest.size) == self.n_meters
        self.reached_s[row] = latest
        self.read_all_s[row] = np.where(all_read, latest, np.inf)

    def _add_modes(self, paths: CablePaths, quality: LinkQuality, routes: Routes) -> None:
        used = np.flatnonzero(routes.link >= 0)
        link = routes.link[used]
        for mode in (quality.mode_up[link], quality.mode_down[link]):
            np.add.at(self.modes, (self.owner[used], self.mode_group[mode]), 1)

    def settle(self, p_arrive: Array, read_probability: float) -> None:
        """Count served meters when all replications are in.

        Parameters
        ----------
        p_arrive : (n_replications, n_services, n_meters) at the head end
        """
        self.p_arrive = p_arrive
        counts = resampled_by_group(p_arrive, read_probability, self.owner, self.hops.shape[0])
        served = (p_arrive.mean(axis=0, dtype=np.float64) >= read_probability).all(axis=0)
        self.served[:, 0] = np.bincount(self.owner[served], minlength=self.hops.shape[0])
        low, high = np.percentile(counts, [10, 90], axis=0)
        self.served[:, 1] = np.minimum(low, self.served[:, 0])
        self.served[:, 2] = np.maximum(high, self.served[:, 0])
        if self.first is not None:
            self.first.settle(p_arrive[: self.first.read.shape[0]], read_probability)


def tally_of(
    technology: Technology, transformer: Array, n_sites: int, n_replications: int, n_apart: int = 0
) -> AreaTally | None:
    """An empty tally of transformer areas; None for a technology that does not run over power lines.

    Parameters
    ----------
    transformer : (n_meters,) site row of each meter's area, -1 where none is known
    n_apart : first replications of which a tally alone is kept beside, if any
    """
    if Medium.POWERLINE not in technology.media:
        return None
    tally = AreaTally.of(technology, transformer, n_sites, n_replications)
    if n_apart > 0:
        tally.first = AreaTally.of(technology, transformer, n_sites, min(n_apart, n_replications))
    return tally


def waveform_of(mode: str) -> str:
    """Modulation and coding of a mode; on how many sub-bands it is used does not matter here.

    >>> [waveform_of(mode) for mode in ("DBPSK-3", "S-ROBO", "DBPSK_CC")]
    ['DBPSK', 'S-ROBO', 'DBPSK_CC']
    """
    return re.sub(r"-\d+$", "", mode)


def meters_behind(routes: Routes) -> Array:
    """(n_meters,) meters whose way to the concentrator leads through each meter."""
    behind = np.zeros(routes.parent.size)
    for level in range(int(routes.hops.max(initial=0)), 1, -1):
        child = np.flatnonzero(routes.hops == level)
        np.add.at(behind, routes.parent[child], behind[child] + 1)
    return behind


def forwarding_s(
    technology: Any, exchanges: Exchanges, paths: CablePaths, quality: LinkQuality, routes: Routes
) -> Array:
    """(n_meters,) channel time each meter spends forwarding for others in one period [s].

    Parameters
    ----------
    technology : one on power lines; those have ``relay_airtime_s``
    """
    return np.asarray(technology.relay_airtime_s(exchanges, routes, paths, quality))[: routes.parent.size]
