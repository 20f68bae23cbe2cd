"""Fast tier of PRIME against its packet tier on clean streets and stars, leg by leg."""

import dataclasses

import numpy as np
import pytest
from amiplan.channels.mac.prime.exchange import leg_costs
from g3_cells import fewest_hops
from prime_cells import readings
from prime_packet import chain, prime_cell, prime_links, settings

VERSIONS = ("1.3.6", "1.4")
RESPONSE_S, REQUEST_BYTES = 0.1, 40


def fast_s(mac, n, pairs, n_bytes, requests):
    """Mean times of request and answer for each meter, (n, 2); ``requests`` of one exchange follow each other."""
    paths, quality = prime_links(n, pairs, mac)
    exchanges = readings(n, n_bytes)
    leg = np.tile(np.arange(2 * requests), n).astype(np.int16)
    repeated = {
        item.name: np.repeat(getattr(exchanges, item.name).reshape(n, 2), requests, axis=0).ravel()
        for item in dataclasses.fields(exchanges)
        if item.name not in ("services", "window_s")
    }
    exchanges = dataclasses.replace(exchanges, **repeated | {"leg": leg, "depends_on": (leg - 1).astype(np.int16)})
    routes = fewest_hops(paths, quality)
    cost = leg_costs(mac, exchanges, routes, paths, quality, np.zeros(n + 1, bool), response_s=RESPONSE_S)
    return cost.time_s.reshape(n, requests, 2)[:, -1]


def packet_s(mac, n, pairs, n_bytes, meters, rest_s, seed):
    """The same as simulated, (n_polls, 2): these meters one after another, the line at rest for a while in between."""
    env, cell = prime_cell(n, pairs, mac, seed=seed, response_s=RESPONSE_S)
    rng, took = np.random.default_rng(seed), []

    def poll():
        for meter in meters:
            yield env.timeout(rest_s * rng.uniform(1.0, 2.0))
            start = env.now
            yield cell.send(n, meter, bytes(REQUEST_BYTES))
            there = env.now
            yield cell.send(meter, n, bytes(n_bytes))
            took.append((there - start, env.now - there - RESPONSE_S))

    env.run(env.process(poll()))
    return np.array(took)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("hops", [2, 4])
def test_an_answer_behind_its_own_word_takes_as_long_in_both_tiers(version, hops):
    mac = settings(version, robustness_s=3600.0, alive_code=7)
    polls = packet_s(mac, hops, chain(hops), 100, [hops - 1] * 600, 3.0, 1)
    fast = fast_s(mac, hops, chain(hops), 100, 1)
    assert fast[-1, 1] == pytest.approx(polls[10:, 1].mean(), rel=0.2)


@pytest.mark.parametrize("version", VERSIONS)
def test_first_polls_of_a_day_find_as_many_silent_hops_in_both_tiers(version):
    n, mac = 30, settings(version)
    pairs = [(k, n) for k in range(n)]
    polls = np.concatenate([packet_s(mac, n, pairs, 200, range(n), 0.0, seed) for seed in range(20)])
    assert fast_s(mac, n, pairs, 200, 1).mean(0) == pytest.approx(polls.mean(0), rel=0.12)


def test_a_request_to_the_first_switch_meets_the_word_to_a_meter_far_behind_it():
    mac = settings("1.3.6", robustness_s=3600.0, alive_code=7)
    lone, deep = (fast_s(mac, n, chain(n), 100, 1)[0, 0] for n in (2, 5))
    assert deep > 1.2 * lone
    first, later = (fast_s(mac, 5, chain(5), 100, requests)[:, 0] for requests in (1, 2))
    # what follows the meter's own answer meets the word on its own way, which is short here and long at the end
    assert later[0] < first[0]
    assert later[4] > first[4]
