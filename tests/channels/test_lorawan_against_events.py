"""LoRaWAN under load against a small event simulation that shares no code with the closed forms.

The simulation draws starts and channels, keeps frames on the air, lets each overlap decide by power, and runs the
rounds of ACK-on-Error one after the other. The closed forms know only loads and probabilities.
"""

import heapq
from itertools import count

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.mac.aloha import SIR_DB
from amiplan.channels.paths import RadioPaths
from amiplan.channels.phy.lora import time_on_air_s
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.lorawan import Lorawan
from amiplan.channels.technology import UP, Exchanges, Reason

DRAWS = Draws(3)
STILL = Lorawan(rice_k_db=60.0, shadowing_sigma_db=0.0)
WINDOW_S = 8 * 3600.0
REGISTER, PROFILE = (81,), (1002, 1002, 1002, 714)
NEEDED_DB = SIR_DB["goursaud"]
"""6 dB among equal factors, -16 to -36 dB among others."""
JITTER = 1.1
"""Meters wait up to a tenth longer than they must; else those of one spreading factor meet again at every frame."""


def village(n_meters, *, far_m=2600.0, seed=1):
    """One gateway on a 15 m mast, meters spread evenly over a disc in a suburb."""
    rng = np.random.default_rng(seed)
    return RadioPaths(
        from_node=np.arange(n_meters, dtype=np.int32),
        to_node=np.full(n_meters, n_meters, np.int32),
        distance_m=far_m * np.sqrt(rng.uniform(0.002, 1.0, n_meters)),
        terrain_m=np.zeros((n_meters, 2), np.float32),
        node_height_m=np.r_[np.full(n_meters, 1.5), 15.0],
        node_clutter=np.ones(n_meters + 1, np.int8),
        node_enclosure=np.r_[np.ones(n_meters), 0].astype(np.int8),
        node_key=np.arange(7, 8 + n_meters, dtype=np.uint64),
        n_meters=n_meters,
        n_sites=1,
    )


def pushes(n_meters, sizes, window_s=WINDOW_S):
    """One push per meter and size; all want to start at the opening of the window."""
    n = n_meters * len(sizes)
    return Exchanges(
        exchange=np.arange(n),
        leg=np.zeros(n, np.int16),
        meter=np.repeat(np.arange(n_meters), len(sizes)).astype(np.int32),
        service=np.zeros(n, np.int16),
        direction=np.full(n, UP, np.int8),
        bytes=np.tile(sizes, n_meters).astype(np.int32),
        depends_on=np.full(n, -1, np.int16),
        not_before_s=np.zeros(n),
        timeout_s=np.full(n, 60.0),
        tries=np.ones(n, np.int8),
        services=("push",),
        window_s=(window_s,),
    )


def carried(tech, paths, exchanges):
    quality = tech.assess(paths, Scenario(), DRAWS)
    routes = tech.routes(paths, quality, np.ones(1, bool))
    return quality, tech.carry(exchanges, routes, paths, quality, Scenario(), DRAWS)


class Gateway:
    """What one gateway hears: frames by channel, and its own downlinks."""

    def __init__(self):
        """Nothing on the air."""
        self.on_air = [[] for _ in range(8)]
        self.downlinks = []

    def begin(self, now, end, channel, factor, power_db):
        """A frame goes on the air; it and the frames that it meets may spoil each other."""
        self.on_air[channel] = [f for f in self.on_air[channel] if f["end"] > now]
        heard = sum(f["end"] > now for frames in self.on_air for f in frames)
        frame = {"end": end, "factor": factor, "power": power_db, "lost": heard >= 16}
        frame["lost"] |= any(a < end and now < b for a, b in self.downlinks)
        for other in self.on_air[channel]:
            frame["lost"] |= other["power"] > power_db - NEEDED_DB[12 - factor, 12 - other["factor"]]
            other["lost"] |= power_db > other["power"] - NEEDED_DB[12 - other["factor"], 12 - factor]
        self.on_air[channel].append(frame)
        return frame

    def answer(self, now, length):
        """A downlink in the second window, during which nothing is heard."""
        self.downlinks = [(a, b) for a, b in self.downlinks if b > now]
        self.downlinks.append((now + 2.0, now + 2.0 + length))
        for frames in self.on_air:
            for frame in frames:
                frame["lost"] |= frame["end"] > now + 2.0


def simulate(tech, quality, sizes, window_s, *, seed):
    """(n_meters,) bool: all pushes of the meter came through in one simulated period."""
    rng = np.random.default_rng(seed)
    factor = 12 - quality.mode_up.astype(int)
    payload = np.array([51, 51, 51, 115, 242, 242])[quality.mode_up]
    gateway, heap, order = Gateway(), [], count()
    done = np.zeros(factor.size, bool)
    ack_s = time_on_air_s(13 + 9, 12 - quality.mode_down.astype(int), crc=False)

    def meter(m):
        deadline = yield rng.uniform(0.0, tech.spread_ratio * window_s)
        complete = True
        now, deadline = deadline, deadline + (1.0 - tech.spread_ratio) * window_s
        for size in sizes:
            whole = size + tech.schc_residue_bytes
            tiles, per_frame = -(-whole // 10), (payload[m] - 1) // 10
            single = whole <= payload[m]
            n_frames = 1 if single else -(-(tiles - 1) // per_frame) + 1
            length = float(time_on_air_s(13 + (whole if single else 1 + 10 * min(per_frame, tiles)), factor[m]))
            rounds, missing, known = tech.n_transmissions if single else 8, set(range(n_frames)), range(n_frames - 1)
            for _ in range(rounds):
                for number in (*known, n_frames - 1):  # the last frame also asks for the acknowledgement
                    if now + length > deadline:
                        return
                    power_db = float(quality.margin_up_db[m])
                    frame = gateway.begin(now, now + length, int(rng.integers(8)), factor[m], power_db)
                    sent = now
                    now = yield sent + length
                    if not frame["lost"]:
                        missing.discard(number)
                    if not frame["lost"] and not single and number == n_frames - 1:
                        gateway.answer(now, ack_s[m])
                        known = sorted(missing)
                    elif number == n_frames - 1:
                        known = ()
                    now = yield sent + length / tech.meter_airtime_ratio * rng.uniform(1.0, JITTER)
                if not missing and not single:
                    break
            complete &= not missing
        done[m] = complete

    for m in range(factor.size):
        process = meter(m)
        heapq.heappush(heap, (next(process), next(order), process))
    while heap:
        now, _, process = heapq.heappop(heap)
        try:
            heapq.heappush(heap, (process.send(now), next(order), process))
        except StopIteration:
            continue
    return done


def both(n_meters, sizes, *, window_s=WINDOW_S, periods=3, tech=STILL, far_m=2600.0):
    paths = village(n_meters, far_m=far_m)
    quality, outcome = carried(tech, paths, pushes(n_meters, sizes, window_s))
    drawn = np.mean([simulate(tech, quality, sizes, window_s, seed=s) for s in range(periods)], axis=0)
    return quality.mode_up, outcome.p_arrive[0], drawn


def by_factor(mode, column):
    return {12 - rate: column[mode == rate].mean() for rate in np.unique(mode) if (mode == rate).sum() >= 70}


@pytest.mark.verification
@pytest.mark.parametrize(
    ("n_meters", "sizes", "window_s", "far_m", "within"),
    [
        (1500, REGISTER, WINDOW_S, 2600.0, 0.005),  # 0.1 % of the air: nobody is lost
        (1500, REGISTER, 900.0, 2600.0, 0.12),  # the same frames in a quarter of an hour
        (500, PROFILE, WINDOW_S, 2600.0, 0.05),  # 3.5 kB each: the slow ones fail
        (1500, PROFILE, WINDOW_S, 2600.0, 0.10),  # the gateway is over its capacity; periods differ by 0.1
        (1500, PROFILE, WINDOW_S, 1200.0, 0.05),  # all at SF7
    ],
)
def test_the_closed_forms_lose_what_the_events_lose(n_meters, sizes, window_s, far_m, within):
    mode, closed, events = both(n_meters, sizes, window_s=window_s, far_m=far_m)
    assert closed.mean() == pytest.approx(events.mean(), abs=within)
    drawn = by_factor(mode, events)
    rank = {factor: share for factor, share in by_factor(mode, closed).items() if abs(share - drawn[factor]) > 0.3}
    assert not rank, f"closed form against events, by spreading factor: {rank} against {drawn}"


@pytest.mark.verification
def test_a_register_fits_where_a_profile_does_not():
    register, profile = (both(1500, sizes, periods=1) for sizes in (REGISTER, PROFILE))
    for answer in (1, 2):
        assert register[answer].mean() > 0.99
        assert profile[answer].mean() < 0.4


def test_one_meter_alone_loses_nothing_in_either():
    _, closed, events = both(1, PROFILE, periods=1)
    assert closed[0] == pytest.approx(1.0)
    assert events[0] == 1.0


def test_the_reason_of_a_crowd_is_capacity():
    paths = village(1500)
    _, outcome = carried(STILL, paths, pushes(1500, PROFILE))
    lost = outcome.p_arrive[0] < 0.5
    assert lost.mean() > 0.5
    assert (outcome.reason[0][lost] == Reason.CAPACITY).mean() > 0.8
