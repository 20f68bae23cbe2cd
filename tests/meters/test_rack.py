"""Meters that come to life when asked: the same ones whoever asks first, up to date whenever they are asked."""

from __future__ import annotations

import time

import numpy as np
import pytest
from amiplan.meters import clock as days
from amiplan.meters.commission import secrets_of
from amiplan.meters.device.history import History
from amiplan.meters.device.names import SECURITY_SETUP
from amiplan.meters.device.rights import Role
from amiplan.meters.dlms import apdu, axdr, keywrap
from amiplan.meters.dlms.obis import IMPORT_ACTIVE, LOAD_PROFILE
from amiplan.meters.rack import FIRST_SAP, MOST_ON_ONE_PORT, Clock, Rack
from amiplan.meters.settings import ServiceSettings
from raw_client import RawClient

KEYS = np.arange(1, 41, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
KINDS = np.array(["house", "flat"] * 20, object)
FRESH = ServiceSettings(association="fresh", security="none")


class Hand(Clock):
    """A clock that a test moves."""

    def __init__(self, now_s: float) -> None:
        super().__init__(now_s, 0.0)
        object.__setattr__(self, "hand_s", now_s)

    def now_s(self) -> float:
        return float(self.hand_s)  # type: ignore[attr-defined]

    def move(self, now_s: float) -> None:
        object.__setattr__(self, "hand_s", now_s)


def rack(now_s: float, settings: ServiceSettings = FRESH, **more: int) -> tuple[Rack, Hand]:
    hand = Hand(now_s)
    return Rack(KEYS, KINDS, settings, seed=3, clock=hand, **more), hand


def read(of: Rack, row: int, number: int = 2, obis: object = IMPORT_ACTIVE, class_id: int = 3) -> object:
    server = of.server(row)
    client = RawClient(of.told(row), "reader", lambda request: server.respond(2, request))
    client.open()
    return client.get(class_id, obis, number)


def test_a_meter_is_the_same_whoever_was_asked_before() -> None:
    now_s = days.day_start_s(1) + 4000.0
    one, other = rack(now_s)[0], rack(now_s)[0]
    there = [read(one, row) for row in range(40)]
    back = [read(other, row) for row in reversed(range(40))][::-1]
    alone = [History.of_load(int(KEYS[row]), KINDS[row], 3, 0, 2).registers_at(now_s)[0] for row in range(40)]
    assert there == back
    assert [value.number for value in there] == [int(one) for one in alone]


def test_the_profile_reaches_seven_days_back_and_on_over_midnight() -> None:
    of, hand = rack(days.day_start_s(9) + 86_000.0)
    before = len(read(of, 5, obis=LOAD_PROFILE, class_id=7).items)
    assert before == 7 * 96 + 95
    hand.move(days.day_start_s(10) + 1000.0)
    assert len(read(of, 5, obis=LOAD_PROFILE, class_id=7).items) == before + 2
    expected = History.of_load(int(KEYS[5]), KINDS[5], 3, 2, 9).registers_at(hand.now_s())
    assert read(of, 5).number == int(expected[0])
    hand.move(days.day_start_s(13))
    whole = History.of_load(int(KEYS[5]), KINDS[5], 3, 2, 12)
    assert np.array_equal(of.server(5).device.history.registers, whole.registers)
    assert np.array_equal(of.server(5).device.history.time_s, whole.time_s)


def test_a_clock_runs_at_its_pace() -> None:
    still, fast = Clock(1000.0, 0.0), Clock(1000.0, 3600.0)
    time.sleep(0.01)
    assert still.now_s() == 1000.0
    assert fast.now_s() >= 1036.0


@pytest.mark.parametrize("minutes", [5, 60, 120, 240, 288, 480, 1440])
def test_profiles_of_any_period_have_a_history_behind_them(minutes: int) -> None:
    settings = ServiceSettings(association="fresh", security="none", profile_interval_min=minutes)
    of, _ = rack(days.day_start_s(2), settings)
    assert len(read(of, 1, obis=LOAD_PROFILE, class_id=7).items) == 2 * 1440 // minutes


def test_what_is_told_opens_the_meter_and_nothing_else() -> None:
    settings = ServiceSettings(association="fresh", security="lls")
    of, _ = rack(days.day_start_s(1), settings)
    assert bytes.fromhex(of.told(3)["password"]) == secrets_of(int(KEYS[3]), settings, 3).password
    server = of.server(3)
    stranger = RawClient(of.told(4), "reader", lambda request: server.respond(2, request))
    with pytest.raises(ValueError, match="refused, diagnostic 13"):
        stranger.open()
    assert server.counters["authentication"] == 1


@pytest.mark.parametrize("security", ["suite_0", "suite_2"])
def test_with_what_is_told_the_management_changes_a_key(security: str) -> None:
    of, _ = rack(days.day_start_s(1), ServiceSettings(association="fresh", security=security))
    server, told = of.server(3), of.told(3)
    client = RawClient(told, "management", lambda request: server.respond(1, request))
    client.open()
    assert client.get(64, SECURITY_SETUP, 4).octets.hex() == told["client_system_title"]
    new = bytes(range(len(bytes.fromhex(told["block_cipher_key"]))))
    wrapped = axdr.octets(keywrap.wrap(new, bytes.fromhex(told["master_key"])))
    item = axdr.array(axdr.structure(axdr.enum(0), wrapped))
    assert client.ask(apdu.ActionRequest(apdu.Method(64, SECURITY_SETUP, 2), item)) == apdu.ActionResponse(
        apdu.ActionResult.SUCCESS, None
    )
    assert server.secrets.keys is not None
    assert server.secrets.keys.encryption == new


def test_a_shared_port_knows_its_meters_and_no_others() -> None:
    of, _ = rack(days.day_start_s(1), shared=True)
    assert of.by_sap(FIRST_SAP) is of.server(0)
    assert of.by_sap(FIRST_SAP + 39) is of.server(39)
    assert [of.by_sap(sap) for sap in (0, 2, 16, FIRST_SAP + 40, 65535)] == [None] * 5


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="kind 'barn' in row 1"):
        Rack(KEYS[:2], np.array(["house", "barn"], object), FRESH, seed=1, clock=Clock(days.day_start_s(1)))
    many = np.zeros(MOST_ON_ONE_PORT["hdlc"] + 1, np.uint64)
    settings = ServiceSettings(association="fresh", security="none", framing="hdlc")
    with pytest.raises(ValueError, match="behind one hdlc port"):
        Rack(many, np.full(many.size, 0), settings, seed=1, clock=Clock(days.day_start_s(1)), shared=True)


def test_counters_begin_where_they_are_told() -> None:
    of, _ = rack(days.day_start_s(1), ServiceSettings(association="fresh"), first_counter=5000)
    server = of.server(0)
    assert server.session(Role.READER).channel.take_counter() == 5000
    assert server.session(Role.MANAGEMENT).channel.take_counter() == 5001
