"""Random low-voltage areas, and one cell of them as both tiers take it."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
from amiplan.channels.paths import CablePaths
from amiplan.channels.powerline.cables import cable_named
from amiplan.channels.powerline.pairs import area_pairs
from amiplan.channels.scenario import Scenario
from amiplan.meters.settings import ServiceSettings
from amiplan.planner.exchanges import exchanges_of
from amiplan.planner.packet import CellPiece
from amiplan.planner.positions import PositionMix
from amiplan.planner.replicate import replicate
from amiplan.planner.service import ServiceLevel
from amiplan.planner.tables import Links

MAINS = ("NAYY 4x150 SE", "NAYY 4x50 SE", "ABC 4x95")
SERVICE = "NAYY 4x50 SE"


def random_area(seed, n_meters, *, step_m=(15.0, 45.0)):
    """A transformer, two to five streets with side streets, joints with up to three services each; all kinds mixed."""
    rng = np.random.default_rng(seed)
    start, end, metres, cable, meter = [], [], [], [], []
    tips = [0] * int(rng.integers(2, 6))
    main = rng.integers(0, len(MAINS), len(tips)).tolist()
    n_nodes = 1
    while len(meter) < n_meters:
        street = int(rng.integers(len(tips)))
        joint, n_nodes = n_nodes, n_nodes + 1
        start.append(tips[street]), end.append(joint)
        metres.append(rng.uniform(*step_m)), cable.append(main[street])
        if rng.random() < 0.08:
            tips.append(joint), main.append(main[street])
        tips[street] = joint
        for _ in range(min(int(rng.integers(0, 4)), n_meters - len(meter))):
            start.append(joint), end.append(n_nodes), metres.append(rng.uniform(5.0, 25.0)), cable.append(len(MAINS))
            meter.append(n_nodes)
            n_nodes += 1
    edges = np.array(start), np.array(end), np.array(metres)
    owner = np.zeros(n_nodes, np.int64)
    return CablePaths(
        *edges,
        np.array(cable, np.int16),
        tuple(cable_named(name) for name in (*MAINS, SERVICE)),
        owner,
        np.array(meter),
        np.array([0]),
        np.array([rng.choice([250.0, 400.0, 630.0])]),
        np.where(rng.random(n_meters) < 0.3, 3, 1).astype(np.int8),
        *area_pairs(*edges, owner, np.array(meter), np.array([0]), 1e6),
        rng.integers(1, 2**62, n_meters + 1).astype(np.uint64),
        n_meters,
        1,
        rng.choice([0, 0, 0, 1, 2, 3], n_meters).astype(np.int8),
    )


def cell_of(technology, paths, draws, *, scenario=None, services=("register", "profile"), window_s=8 * 3600.0,
            session=None, start_h=0.0):  # fmt: skip
    """The only cell of an area as the fast tier leaves it, ready for the packet tier."""
    session = ServiceSettings() if session is None else session
    exchanges = exchanges_of(paths.n_meters, "pull", ServiceLevel(services=services), session)
    exchanges = replace(exchanges, window_s=tuple(np.broadcast_to(window_s, len(services)).tolist()))
    links = Links(paths, gpd.GeoDataFrame())
    scenario = Scenario() if scenario is None else scenario
    one = replicate(technology, links, exchanges, np.ones(1, bool), scenario, PositionMix(), draws, start_h)
    routed = np.stack([step.routes.server >= 0 for step in one.course]).any(axis=0)
    members = np.flatnonzero(routed)
    return CellPiece(
        technology,
        one.paths,
        one.course,
        draws,
        0,
        "T0",
        members,
        paths.node_key[members],
        np.full(members.size, "house", object),
        services,
        exchanges.window_s,
        one.outcome.p_arrive[:, members],
        one.outcome.latency_p50_s[:, members],
        session,
        draws.seed,
    )
