"""Small PRIME cells with given links, for tests of the packet tier."""

from dataclasses import replace

import numpy as np
import simpy
from amiplan.channels.draws import Draws
from amiplan.channels.mac.prime.cell import PrimeCell
from amiplan.channels.mac.prime.line import threshold_db
from amiplan.channels.powerline.prime_parameters import PrimeParameters
from g3_cells import fewest_hops, made_links


def settings(version="1.3.6", **changes):
    """MAC constants of a network; ``changes`` are parameters of the technology or else fields of `PrimeMac`."""
    known = {name: changes.pop(name) for name in tuple(changes) if name in PrimeParameters.__dataclass_fields__}
    return replace(PrimeParameters(version=version, **known).mac, **changes)


def prime_links(n_meters, pairs, mac, *, margin_db=30.0, mode="DQPSK_CC", legacy=None):
    """Paths and quality; every pair has the same margin both ways unless ``pairs`` maps it to (up, down).

    Links with a margin of at least 0 are usable in ``mode``; each has the SNR that its margin says.
    """
    index = [one.name for one in mac.table].index(mode)
    margins = pairs if isinstance(pairs, dict) else dict.fromkeys(pairs, (margin_db, margin_db))
    modes = {pair: tuple(index if one >= 0 else -1 for one in both) for pair, both in margins.items()}
    paths, quality = made_links(n_meters, {pair: (*both, *modes[pair]) for pair, both in margins.items()})
    old = np.zeros(n_meters + 1, bool) if legacy is None else np.asarray(legacy, bool)
    pair_old = old[paths.from_node] | old[paths.to_node]
    floor = np.where(pair_old, threshold_db(mac, "A"), threshold_db(mac, mac.data_frame))
    snr = {"snr_up_db": quality.margin_up_db + floor, "snr_down_db": quality.margin_down_db + floor}
    return paths, replace(quality, **snr)


def prime_cell(n_meters, pairs, mac, *, seed=1, routes=None, cold=False, legacy=None, response_s=0.0, **links):
    """Environment and cell over `prime_links`, with the routes of fewest hops; ``cold`` boots everybody at once."""
    paths, quality = prime_links(n_meters, pairs, mac, legacy=legacy, **links)
    env = simpy.Environment()
    routes = fewest_hops(paths, quality) if routes is None else routes
    cell = PrimeCell(env, paths, quality, routes, 0, Draws(seed), mac, response_s, legacy)
    if cold:
        cell.cold_start(range(n_meters + 1))
    return env, cell


def chain(levels):
    """Pairs of a chain: meter 0 at the concentrator, each further meter behind the one before."""
    return [(0, levels), *((k, k - 1) for k in range(1, levels))]
