"""A PRIME base node chooses its switches: which offers stand, for how long, and whom they are for."""

from types import SimpleNamespace

import pytest
import simpy
from amiplan.channels.mac.prime.messages import NO_SWITCH, Promotion
from amiplan.channels.mac.prime.promotions import ASKED_S, Promotions

NEEDY = 9
ADDRESS = b"\x02\x00" + NEEDY.to_bytes(4, "big")


class FakeRecords:
    """Four registered terminals of level 1; whom the base node promotes is noted and stays a terminal."""

    def __init__(self, env):
        self.env, self.promoted = env, []
        self.of = {member: self.record(member) for member in range(4)}

    def record(self, member, confirmed=True):
        return SimpleNamespace(member=member, confirmed=confirmed, own=-1, level=1, since_s=self.env.now)

    def drop(self, record):
        del self.of[record.member]

    def promote(self, record):
        self.promoted.append((self.env.now, record.member))


def base(**changes):
    """Environment, records and promotions of a base node."""
    forming = {"promotion_rest_s": 30.0, "promotion_wait_s": 3.0, "offer_rest_s": 20.0} | changes
    env = simpy.Environment()
    cell = SimpleNamespace(env=env, mac=SimpleNamespace(forming=SimpleNamespace(**forming)))
    records = FakeRecords(env)
    return env, records, Promotions(cell, records, None, None)


def offer(records, promotions, *members, mode=3):
    for member in members:
        promotions.offered(records.of[member], Promotion(False, mode, NO_SWITCH, ADDRESS))


@pytest.mark.parametrize("wait_s", [0.0, 3.0])
def test_an_offer_stands_until_its_turn_comes(wait_s):
    """The last is promoted 99 s behind the offers, which terminals repeat after 20 s, 40 s, ... only."""
    env, records, promotions = base(promotion_wait_s=wait_s)
    offer(records, promotions, 2, 0, 3, 1)
    env.run()
    step_s = 30.0 + wait_s
    assert records.promoted == [(wait_s + turn * step_s, turn) for turn in range(4)]


def test_a_better_offer_that_comes_while_the_base_node_rests_is_next():
    env, records, promotions = base()
    offer(records, promotions, 0, 1)
    env.run(20.0)
    offer(records, promotions, 3, mode=6)
    env.run(2000.0)
    assert [member for _, member in records.promoted] == [0, 3, 1]


@pytest.mark.parametrize("change", [{"level": 2}, {"own": 5}, {"confirmed": False}])
def test_offers_of_terminals_that_moved_or_are_switches_are_forgotten(change):
    env, records, promotions = base()
    offer(records, promotions, 0, 1)
    env.run(10.0)
    before = dict(vars(records.of[1]))
    vars(records.of[1]).update(change)
    env.run(500.0)
    # the former state does not bring the offer back
    vars(records.of[1]).update(before)
    offer(records, promotions, 2)
    env.run(2000.0)
    assert [member for _, member in records.promoted] == [0, 2]


def test_nobody_is_promoted_for_a_node_that_has_just_registered():
    env, records, promotions = base()
    env.run(100.0)
    records.of[NEEDY] = records.record(NEEDY)
    env.run(100.0 + ASKED_S / 2)
    offer(records, promotions, 0)
    env.run(500.0)
    assert records.promoted == []
    assert NEEDY in records.of
    # who asks long after it was confirmed has lost its registration
    offer(records, promotions, 1)
    assert NEEDY not in records.of
    env.run(600.0)
    assert records.promoted == [(503.0, 1)]


def test_offers_for_a_node_that_registers_meanwhile_end_with_its_confirmation():
    env, records, promotions = base()
    records.of[NEEDY] = records.record(NEEDY, confirmed=False)
    offer(records, promotions, 0, 1)
    env.run(10.0)
    promotions.registered(NEEDY)
    env.run()
    assert [member for _, member in records.promoted] == [0]
    assert env.now < 60.0
    env.run(60.0)
    offer(records, promotions, 2)
    assert NEEDY not in records.of


def test_a_base_node_that_ends_promotes_nobody():
    env, records, promotions = base()
    offer(records, promotions, 0)
    promotions.end()
    env.run()
    assert records.promoted == []
