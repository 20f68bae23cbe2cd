"""Legs of all meters: equal ones repeated, and each meter's own where an encoding makes lengths differ."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from amiplan.channels.technology import DOWN, UP
from amiplan.meters.commission import commission
from amiplan.meters.fleet_data import drawn_intervals, readings_of
from amiplan.meters.load import KIND_NAMES, registers
from amiplan.meters.services import SERVICES, ServiceSettings, exchange_legs, policy_of
from amiplan.meters.turns import turns_of
from amiplan.planner.exchanges import PROFILE_DAY, Speakers, exchanges_of, other_ways
from amiplan.planner.service import ServiceLevel

N = 9
SPEAKERS = Speakers(np.arange(3, 3 + N, dtype=np.uint64), np.array(KIND_NAMES)[np.arange(N) % len(KIND_NAMES)], 4)
PROFILE = ServiceLevel(services=("profile",))


def meters(settings):
    """The same meters, real."""
    plain = replace(settings, profile_values="registers")
    totals = readings_of(SPEAKERS.keys, SPEAKERS.kinds, PROFILE_DAY, plain, SPEAKERS.seed).profile
    n_drawn = drawn_intervals(settings)
    start = registers(SPEAKERS.keys, SPEAKERS.kinds, PROFILE_DAY, SPEAKERS.seed, n_intervals=n_drawn)
    for row, key in enumerate(SPEAKERS.keys):
        yield commission(
            int(key), totals[row, -1], totals[row], PROFILE_DAY, settings, seed=SPEAKERS.seed, start_wh=start[row]
        )


@pytest.mark.parametrize("policy", ["pull", "push"])
def test_meters_of_equal_length_all_have_the_legs_of_one(policy):
    level, settings = ServiceLevel(), ServiceSettings(association="fresh")
    said = exchanges_of(3, policy, level, settings)
    for number, service in enumerate(level.services):
        legs = exchange_legs(service, policy, settings)
        for meter in range(3):
            rows = np.flatnonzero((said.service == number) & (said.meter == meter))
            assert np.array_equal(said.bytes[rows], legs.bytes)
            assert np.array_equal(said.depends_on[rows], legs.depends_on)
            assert np.array_equal(said.leg[rows], np.arange(rows.size))
            assert set(said.exchange[rows]) == {number * 3 + meter}


@pytest.mark.parametrize(
    "settings",
    [
        ServiceSettings(encoding="delta", max_pdu_bytes=300),
        ServiceSettings(encoding="null_unchanged", profile_values="energy", profile_status=True),
        ServiceSettings(encoding="null_unchanged", framing="hdlc", hdlc_window=2, association="fresh"),
        ServiceSettings(encoding="delta", block_transfer="general", max_pdu_bytes=400, ciphering="general_glo"),
    ],
    ids=["delta", "unchanged", "hdlc", "general"],
)
@pytest.mark.parametrize("policy", ["pull", "push"])
def test_each_meter_says_as_many_bytes_as_the_real_one(settings, policy):
    said = exchanges_of(N, policy, PROFILE, settings, SPEAKERS)
    up = np.bincount(said.meter, said.bytes * (said.direction == UP), N)
    down = np.bincount(said.meter, said.bytes * (said.direction == DOWN), N)
    assert len(set(up)) > 1
    for row, (server, head_end) in enumerate(meters(settings)):
        if policy == "pull":
            turns = turns_of(server, head_end, "profile")
            assert up[row] == sum(len(turn) for way, turn in turns if way == UP)
            assert down[row] == sum(len(turn) for way, turn in turns if way == DOWN)
        elif settings.framing == "wrapper":
            assert said.bytes[said.meter == row].tolist() == [len(one) for one in server.push("profile")]
    first = np.flatnonzero(said.leg == 0)
    assert first.size == N
    assert (said.depends_on[first] == -1).all()
    assert (said.depends_on < said.leg).all()


def test_every_service_goes_by_a_way_that_can_deliver_it():
    level, settings = ServiceLevel(services=SERVICES), ServiceSettings()
    assert other_ways("pull", level, settings) == {"last_gasp": "push"}
    assert other_ways("push", level, settings) == dict.fromkeys(("on_demand", "clock_set", "disconnect"), "pull")
    untimed = replace(settings, profile_timestamps=False)
    assert other_ways("push", PROFILE, untimed) == {"profile": "pull"}
    said = exchanges_of(2, "push", level, settings)
    for number, service in enumerate(SERVICES):
        first = np.flatnonzero((said.service == number) & (said.leg == 0))
        asked = policy_of(service, "push", settings) == "pull"
        assert (said.direction[first] == (DOWN if asked else UP)).all()


def test_a_kept_association_is_opened_by_the_first_service_only():
    level = ServiceLevel(services=("register", "daily_billing"))
    said = exchanges_of(1, "pull", level, ServiceSettings(association="kept_open"))
    assert np.count_nonzero(said.service == 0) == 6
    assert np.count_nonzero(said.service == 1) == 2


def test_speakers_must_be_the_meters():
    with pytest.raises(ValueError, match="one key and kind for each"):
        exchanges_of(3, "pull", PROFILE, ServiceSettings(), SPEAKERS)
    assert exchanges_of(0, "pull", PROFILE, ServiceSettings()).bytes.size == 0
