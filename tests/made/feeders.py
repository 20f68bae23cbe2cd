"""Made-up feeders: strings of houses behind a bus, as plain cable paths."""

import numpy as np
from amiplan.channels.paths import CablePaths
from amiplan.channels.powerline.cables import cable_named
from amiplan.channels.powerline.pairs import area_pairs


def feeder(n_meters=12, step_m=40.0, *, areas=1, phases=3, extra_edges=(), keys=None, kva=400.0):
    """Strings of houses: bus, then one joint every ``step_m`` with a 15 m service to its meter."""
    per = 2 * n_meters + 1
    start, end, metres, cable, meter, bus = [], [], [], [], [], []
    for area in range(areas):
        base = area * per
        bus.append(base)
        for house in range(n_meters):
            joint, service = base + 1 + 2 * house, base + 2 + 2 * house
            start += [base if house == 0 else joint - 2, joint]
            end += [joint, service]
            metres += [step_m, 15.0]
            cable += [0, 1]
            meter.append(service)
        for a, b, length in extra_edges if area == 0 else ():
            start, end, metres, cable = [*start, a], [*end, b], [*metres, length], [*cable, 0]
    edges = np.array(start), np.array(end), np.array(metres)
    owner = np.repeat(np.arange(areas), per)
    pairs = area_pairs(*edges, owner, np.array(meter), np.array(bus), 1e6)
    n = len(meter)
    return CablePaths(
        *edges,
        np.array(cable, np.int16),
        (cable_named("NAYY 4x150 SE"), cable_named("NAYY 4x50 SE")),
        owner,
        np.array(meter),
        np.array(bus),
        np.full(areas, kva),
        np.full(n, phases, np.int8),
        *pairs,
        np.arange(1, n + areas + 1).astype(np.uint64) if keys is None else keys,
        n,
        areas,
    )
