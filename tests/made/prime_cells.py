"""Link tables of made-up PRIME cells: a street of meters, SNR falling along it, for tests of the network alone."""

import numpy as np
from amiplan.channels.cable import Cable
from amiplan.channels.paths import CablePaths
from amiplan.channels.phy.prime_adaptation import threshold_db
from amiplan.channels.technology import DOWN, UP, Exchanges, LinkQuality, Reason


def streets(n_meters, n_sites=1, key=0):
    """As many transformers with a street of meters each; every pair of a street is a link."""
    area = np.repeat(np.arange(n_sites), n_meters)
    n = area.size
    low, high = np.triu_indices(n_meters, 1)
    start = np.arange(n_sites) * n_meters
    first = np.concatenate([np.arange(n), (start[:, None] + low).ravel()])
    second = np.concatenate([n + area, (start[:, None] + high).ravel()])
    place = np.concatenate([np.tile(np.arange(1, n_meters + 1), n_sites), np.zeros(n_sites)])
    return CablePaths(
        edge_from=np.zeros(0, np.int32),
        edge_to=np.zeros(0, np.int32),
        edge_length_m=np.zeros(0),
        edge_cable=np.zeros(0, np.int16),
        cables=tuple[Cable, ...](),
        feeder_area=np.arange(n_sites, dtype=np.int32),
        meter_feeder_node=area.astype(np.int32),
        site_feeder_node=np.arange(n_sites, dtype=np.int32),
        site_rated_kva=np.full(n_sites, 400.0),
        meter_phases=np.full(n, 3, np.int8),
        from_node=first.astype(np.int32),
        to_node=second.astype(np.int32),
        distance_m=np.abs(place[first] - place[second]),
        node_key=(np.arange(n + n_sites) + 1000 * (key + 1)).astype(np.uint64),
        n_meters=n,
        n_sites=n_sites,
    )


def falling_quality(tech, paths, reach_m, *, rng=None, spread_db=0.0, top_db=18.0):
    """SNR that falls straight from ``top_db`` over the robust threshold to none of it at ``reach_m``."""
    needed = np.array([threshold_db(mode) + tech.implementation_loss_db for mode in tech.table])
    columns = []
    for _ in range(2):
        noise = rng.normal(0, spread_db, paths.n_links) if rng is not None else 0.0
        columns.append(needed[0] + top_db * (1 - paths.distance_m / reach_m) + noise)
    mode = [(column[:, None] >= needed).cumprod(1).sum(1).astype(np.int8) - 1 for column in columns]
    rate = np.append([one.rate_bps for one in tech.table], 0.0)
    return LinkQuality(
        columns[0], columns[1], columns[0] - needed[0], columns[1] - needed[0], mode[0], mode[1], rate[mode[0]],
        rate[mode[1]], np.zeros(paths.n_links), np.full(paths.n_links, Reason.ATTENUATION, np.int8),
        np.ones(paths.n_links, bool),
    )  # fmt: skip


def readings(n_meters, n_bytes=200, window_s=1e5, services=1, n_exchanges=1):
    """A request of 40 B and an answer for every meter, service and exchange."""
    meter = np.tile(np.repeat(np.arange(n_meters), n_exchanges), services)
    service = np.repeat(np.arange(services), n_meters * n_exchanges)
    n = meter.size
    leg = np.tile([0, 1], n).astype(np.int16)
    return Exchanges(
        np.repeat(np.arange(n), 2).astype(np.int64), leg, np.repeat(meter, 2).astype(np.int32),
        np.repeat(service, 2).astype(np.int16), np.where(leg == 1, UP, DOWN).astype(np.int8),
        np.where(leg == 1, n_bytes, 40).astype(np.int32), (leg - 1).astype(np.int16), np.zeros(2 * n),
        np.full(2 * n, 600.0), np.ones(2 * n, np.int8), tuple(f"s{k}" for k in range(services)),
        tuple(window_s * (1 + k) for k in range(services)),
    )  # fmt: skip
