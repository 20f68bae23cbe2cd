"""With draws, rates and the plan frozen and interference off, more of a good thing never does harm."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from amiplan.channels.draws import Draws, mix
from amiplan.channels.paths import Enclosure, RadioPaths
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies import all_technologies
from amiplan.channels.technology import Exchanges, Medium, Siting
from hypothesis import given, settings
from hypothesis import strategies as st

RADIO = sorted(name for name, one in all_technologies().items() if Medium.POWERLINE not in one.media)
CHOSEN = sorted(name for name, one in all_technologies().items() if one.siting is Siting.CANDIDATE_SITE)
N_METERS, N_SITES = 24, 5
CALM = Scenario(interference=False)


def made_paths(seed: int, extent_m: float, site_height_m: float) -> RadioPaths:
    """Meters and sites at random on flat ground, all pairs linked."""
    draws = Draws(seed)
    keys = mix(np.arange(N_METERS + N_SITES, dtype=np.uint64))
    x, y = (draws.uniform(axis, keys) * extent_m for axis in ("x", "y"))
    nodes = np.arange(N_METERS + N_SITES)
    start, end = (one.astype(np.int32) for one in np.triu_indices(nodes.size, 1))
    kept = start < N_METERS
    start, end = start[kept], end[kept]
    distance = np.maximum(np.hypot(x[start] - x[end], y[start] - y[end]), 1.0)
    height = np.where(nodes < N_METERS, 1.5, site_height_m)
    enclosure = np.where(nodes < N_METERS, Enclosure.INDOOR, Enclosure.NONE).astype(np.int8)
    clutter = np.ones(nodes.size, np.int8)
    flat = np.zeros((start.size, 2), np.float32)
    return RadioPaths(start, end, distance, flat, height, clutter, enclosure, keys, N_METERS, N_SITES)


def readings(policy: str) -> Exchanges:
    """One small exchange per meter: a request and an answer, or the answer alone."""
    n_legs = 1 if policy == "push" else 2
    meter = np.repeat(np.arange(N_METERS), n_legs)
    leg = np.tile(np.arange(n_legs), N_METERS)
    return Exchanges(
        exchange=meter.astype(np.int64),
        leg=leg.astype(np.int16),
        meter=meter.astype(np.int32),
        service=np.zeros(meter.size, np.int16),
        direction=np.where(leg == n_legs - 1, 1, 0).astype(np.int8),
        bytes=np.full(meter.size, 45, np.int32),
        depends_on=(leg - 1).astype(np.int16),
        not_before_s=np.zeros(meter.size),
        timeout_s=np.full(meter.size, 60.0),
        tries=np.full(meter.size, 3, np.int8),
        services=("register",),
        window_s=(8 * 3600.0,),
    )


def worst_margin_db(technology: Any, paths: RadioPaths) -> np.ndarray:
    quality = technology.assess(paths, CALM, Draws(5, 1))
    to_site = paths.to_node >= N_METERS
    return np.minimum(quality.margin_up_db, quality.margin_down_db)[to_site]


@pytest.mark.parametrize("name", RADIO)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 99), low=st.floats(5.0, 40.0), more=st.floats(0.5, 25.0))
def test_higher_antennas_never_lower_a_margin(name: str, seed: int, low: float, more: float) -> None:
    technology = all_technologies()[name]()
    before = worst_margin_db(technology, made_paths(seed, 3000.0, low))
    after = worst_margin_db(technology, made_paths(seed, 3000.0, low + more))
    assert (after >= before - 1e-9).all()


@pytest.mark.parametrize("name", RADIO)
def test_more_power_never_lowers_a_margin(name: str) -> None:
    technology = all_technologies()[name]()
    paths = made_paths(3, 3000.0, 12.0)
    powers = [item.name for item in fields(technology) if item.name.endswith(("power_dbm", "eirp_dbm"))]
    assert powers
    for power in powers:
        weaker = replace(technology, **{power: getattr(technology, power) - 3.0})
        assert (worst_margin_db(weaker, paths) <= worst_margin_db(technology, paths) + 1e-9).all(), power


@pytest.mark.parametrize("name", CHOSEN)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 99), extent_m=st.floats(300.0, 6000.0), subset=st.integers(0, 2**N_SITES - 1))
def test_all_candidates_never_serve_fewer_than_some(name: str, seed: int, extent_m: float, subset: int) -> None:
    technology = all_technologies()[name]()
    paths = made_paths(seed, extent_m, 12.0)
    draws = Draws(seed, 1)
    quality = technology.assess(paths, CALM, draws)
    exchanges = readings(technology.exchange_policy)

    def served(built: np.ndarray) -> int:
        routes = technology.routes(paths, quality, built)
        outcome = technology.carry(exchanges, routes, paths, quality, CALM, draws)
        return int((outcome.p_arrive >= 0.95).sum())

    some = (subset >> np.arange(N_SITES)) % 2 == 1
    assert served(np.ones(N_SITES, bool)) >= served(some)


@pytest.mark.parametrize("name", RADIO)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 99), order=st.permutations(range(N_METERS)))
def test_shuffled_meters_give_shuffled_links(name: str, seed: int, order: list[int]) -> None:
    technology = all_technologies()[name]()
    paths = made_paths(seed, 2000.0, 12.0)
    to_site = paths.select(paths.to_node >= N_METERS)
    place = np.concatenate([np.array(order), np.arange(N_METERS, N_METERS + N_SITES)])
    where = np.argsort(place)
    shuffled = replace(
        to_site,
        from_node=where[to_site.from_node].astype(np.int32),
        node_key=to_site.node_key[place],
    )
    first, second = (technology.assess(one, CALM, Draws(seed, 2)) for one in (to_site, shuffled))
    assert np.array_equal(first.margin_up_db, second.margin_up_db)
    assert np.array_equal(first.mode_down, second.mode_down)
