"""A hundred thousand meters on low-voltage feeders, one replication: from cables to the effective SNR of every link.

Asked for: 60 s and 4 GiB on two cores. ``python -m benchmarks.powerline_area 10000`` tries fewer meters. Each run has a
process of its own, so that the memory is that of the run.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time

import numpy as np
from amiplan.channels.draws import Draws, mix
from amiplan.channels.paths import CablePaths
from amiplan.channels.powerline.assess import assess_links
from amiplan.channels.powerline.cables import cable_named
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.g3_plc import G3Plc

FEEDERS, METERS_PER_FEEDER, STEP_M, SERVICE_M = 4, 25, 18.0, 12.0
THREE_PHASE_SHARE = 0.2


def areas(n_meters: int) -> CablePaths:
    """Areas of one transformer, four feeders and a hundred meters; all pairs of an area are links."""
    n_areas = -(-n_meters // (FEEDERS * METERS_PER_FEEDER))
    house = np.arange(n_areas * FEEDERS * METERS_PER_FEEDER)
    area, first = house // (FEEDERS * METERS_PER_FEEDER), house % METERS_PER_FEEDER == 0
    joint, service = n_areas + 2 * house, n_areas + 2 * house + 1
    before = np.where(first, area, joint - 2)
    per_area = FEEDERS * METERS_PER_FEEDER + 1
    low, high = np.triu_indices(per_area, 1)
    along = (house % METERS_PER_FEEDER + 1)[: per_area - 1] * STEP_M + SERVICE_M
    feeder = np.append((house // METERS_PER_FEEDER)[: per_area - 1], -1)
    along = np.append(along, 0.0)
    same = feeder[low] == feeder[high]
    metres = np.where(same, np.abs(along[low] - along[high]) + 2 * SERVICE_M, along[low] + along[high])
    member = np.append(np.arange(per_area - 1), -1)
    base = np.arange(n_areas)[:, None] * (per_area - 1)
    start = (base + member[low]).ravel()
    end = np.where(member[high] >= 0, base + member[high], house.size + np.arange(n_areas)[:, None]).ravel()
    return CablePaths(
        edge_from=np.concatenate([before, joint]),
        edge_to=np.concatenate([joint, service]),
        edge_length_m=np.concatenate([np.full(house.size, STEP_M), np.full(house.size, SERVICE_M)]),
        edge_cable=np.repeat(np.array([0, 1], np.int16), house.size),
        cables=(cable_named("NAYY 4x150"), cable_named("NAYY 4x50")),
        feeder_area=np.concatenate([np.arange(n_areas), np.repeat(area, 2)]),
        meter_feeder_node=service,
        site_feeder_node=np.arange(n_areas),
        site_rated_kva=np.full(n_areas, 400.0),
        meter_phases=np.where(Draws(1).uniform("three", mix(house)) < THREE_PHASE_SHARE, 3, 1).astype(np.int8),
        from_node=start.astype(np.int32),
        to_node=end.astype(np.int32),
        distance_m=np.tile(metres, n_areas),
        node_key=mix(np.arange(house.size + n_areas, dtype=np.uint64)),
        n_meters=house.size,
        n_sites=n_areas,
    )


def run(n_meters: int, threads: int) -> None:
    """One replication after a small one that compiles; prints seconds and the peak of the memory."""
    tech = G3Plc(dead_loss_db=90.0)
    adaptation = tech.adaptation(tech.state_of_bin, tech.mains_hz)
    assess_links(areas(100), tech, adaptation, Scenario(), Draws(1))
    paths = areas(n_meters)
    begin = time.perf_counter()
    quality = assess_links(paths, tech, adaptation, Scenario(), Draws(1), threads=threads)
    took_s = time.perf_counter() - begin
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    alive = np.isfinite(quality.loss_db).mean()
    print(
        f"power line: {paths.n_meters} meters, {paths.n_links} links, {alive:.0%} alive, {threads} threads: "
        f"{took_s:.1f} s (60 asked), {peak_gib:.2f} GiB (4 asked)"
    )


def figures(n_meters: int = 100_000) -> None:
    """The figure in a process of its own."""
    subprocess.run([sys.executable, "-m", "benchmarks.powerline_area", str(n_meters)], check=True)


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, min(2, os.cpu_count() or 1))
