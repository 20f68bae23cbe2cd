"""Areas with unserved meters, simulated and cut out of made-up feeders."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import geopandas as gpd
import numpy as np
from amiplan.channels.paths import CablePaths
from amiplan.channels.powerline.scenarios import LineScenario
from amiplan.channels.scenario import Scenario
from amiplan.planner.areas import AreaTally
from amiplan.planner.exchanges import exchanges_of
from amiplan.planner.patches import Patch, patches_of
from amiplan.planner.remedies import RemedySettings
from amiplan.planner.service import ServiceLevel
from amiplan.planner.settings import PlannerSettings
from amiplan.planner.simulate import SimulationSettings, Task, simulate
from amiplan.planner.tables import Deliveries, Links
from shapely import Point

SILENT = {"environment": "rural", "noise_area_sigma_db": 0.0, "noise_node_sigma_db": 0.0, "noise_lines_per_node": 0.0,
          "broadcast_ratio": 0.0, "emitter_ratio": 0.0}  # fmt: skip
"""Parameters of a line on which only what a test plants makes noise."""


def settings_of(line: LineScenario, replications: int = 4, **remedies: Any) -> PlannerSettings:
    """One register a day, on a line as told."""
    return PlannerSettings(
        service=ServiceLevel(services=("register",)),
        scenario=Scenario(powerline=line),
        simulation=SimulationSettings(seed=5, replications=replications, tier="fast"),
        remedies=RemedySettings(**remedies),
    )


def task_of(technology: Any, paths: CablePaths, settings: PlannerSettings) -> Task:
    """The simulation of a made-up network."""
    exchanges = exchanges_of(paths.n_meters, "pull", settings.service, settings.session)
    owner = paths.feeder_area[paths.meter_feeder_node]
    return Task(technology, links(paths), exchanges, np.ones(paths.n_sites, bool), settings.scenario,
                settings.positions, settings.simulation, settings.backhaul, settings.service, owner)  # fmt: skip


def simulated(technology: Any, paths: CablePaths, settings: PlannerSettings) -> tuple[Any, Deliveries, AreaTally]:
    """Exchanges, deliveries and tally of a made-up network."""
    task = task_of(technology, paths, settings)
    done = simulate(task)
    assert done.areas is not None
    return task.exchanges, done.deliveries, done.areas


def links(paths: CablePaths) -> Links:
    """Links with transformers T0, T1 and so on."""
    names = [f"T{site}" for site in range(paths.n_sites)]
    return Links(paths, gpd.GeoDataFrame({"transformer_id": names}, geometry=[Point(0, 0)] * paths.n_sites))


def made_patches(
    technology: Any, paths: CablePaths, settings: PlannerSettings, most_meters: int = 500
) -> tuple[Patch, ...]:
    """The patches of a made-up network; meters are called m0, m1 and so on, nodes lie 10 m apart."""
    exchanges, deliveries, tally = simulated(technology, paths, settings)
    nodes = 10.0 * np.arange(paths.n_feeder_nodes)
    area: Any = SimpleNamespace(
        meters={"meter_id": _Column([f"m{row}" for row in range(paths.n_meters)])},
        feeders=SimpleNamespace(node_x_m=nodes, node_y_m=np.zeros(nodes.size)),
    )
    return patches_of(technology, links(paths), exchanges, deliveries, tally.p_arrive, most_meters, area, settings)


class _Column(list):
    def to_numpy(self, kind: Any) -> Any:
        return np.array(self, dtype=kind)
