from dataclasses import fields

import numpy as np
import pytest
from amiplan.meters.services import SERVICES, ServiceSettings, exchange_legs, session_table

WHOLE = {"max_pdu_bytes": 65535}
GLO = ServiceSettings(**WHOLE)
PLAIN = ServiceSettings(security="none", **WHOLE)


def lengths(service, policy="pull", settings=GLO):
    return exchange_legs(service, policy, settings).bytes.tolist()


@pytest.mark.parametrize(
    ("service", "settings", "expected"),
    [
        ("register", PLAIN, [13, 9]),
        ("register", GLO, [32, 28]),
        ("profile", PLAIN, [64, 3462]),
        ("profile", GLO, [83, 3483]),
        ("profile", ServiceSettings(security="none", encoding="null_timestamps", **WHOLE), [64, 2227]),
        ("profile", ServiceSettings(encoding="null_timestamps", **WHOLE), [83, 2248]),
        ("profile", ServiceSettings(security="none", profile_channels=1, **WHOLE), [64, 2022]),
        ("profile", ServiceSettings(security="none", profile_channels=2, profile_interval_min=60, **WHOLE), [64, 630]),
        ("profile", ServiceSettings(profile_channels=2, profile_interval_min=60, **WHOLE), [83, 651]),
    ],
)
def test_message_budget(service, settings, expected):
    """Sizes measured with two independent DLMS libraries (gurux-dlms 1.0.203, dlms-cosem 25.1.0), wrapper 8 B more."""
    assert lengths(service, settings=settings) == [n + 8 for n in expected]


def test_push_budget():
    """A push of name, clock, 8-byte id and one u32 has 45 B plain and 73 B as general-glo."""
    assert lengths("register", "push", PLAIN) == [45 + 8]
    assert lengths("register", "push", GLO) == [73 + 8]


def test_a_whole_ciphered_session_for_one_register():
    """215 B to the meter and 216 B back in 4 round trips, measured with an independent library."""
    legs = exchange_legs("register", "pull", ServiceSettings(association="fresh"))
    assert legs.bytes[legs.direction == 0].tolist() == [95 + 8, 51 + 8, 32 + 8, 5 + 8]
    assert legs.bytes[legs.direction == 1].tolist() == [107 + 8, 44 + 8, 28 + 8, 5 + 8]
    assert legs.label[:4] == ("AARQ", "AARE", "HLS pass 3", "HLS pass 4")
    public = exchange_legs("register", "pull", ServiceSettings(association="fresh", security="none"))
    assert public.bytes.tolist() == [31 + 8, 43 + 8, 13 + 8, 9 + 8, 5 + 8, 5 + 8]


def test_the_same_session_over_hdlc():
    wrapped = exchange_legs("register", "pull", ServiceSettings(association="fresh"))
    framed = exchange_legs("register", "pull", ServiceSettings(association="fresh", framing="hdlc"))
    assert framed.bytes.tolist() == [9, 34, *(wrapped.bytes + 6).tolist(), 9, 9]


def test_the_profile_over_hdlc_waits_for_every_frame():
    legs = exchange_legs("profile", "pull", ServiceSettings(framing="hdlc", **WHOLE))
    assert legs.bytes[0] == 97
    assert legs.bytes[legs.direction == 1].sum() == 3794
    ready = legs.bytes[1:][legs.direction[1:] == 0]
    assert (ready.size, ready.sum()) == (27, 243)
    assert legs.depends_on.tolist() == list(range(-1, 55))


def test_blocks_cost_one_round_trip_each():
    legs = exchange_legs("profile", "pull", ServiceSettings(max_pdu_bytes=512))
    assert legs.bytes[legs.direction == 0].tolist() == [91] + [26 + 8] * 7
    assert legs.bytes[legs.direction == 1].tolist() == [512 + 8] * 7 + [135 + 8]
    assert legs.direction.tolist() == [0, 1] * 8
    assert legs.label[2:4] == ("GET-request 2", "GET-response 2")
    long_blocks = exchange_legs("profile", "pull", ServiceSettings(max_pdu_bytes=1024))
    assert long_blocks.bytes.sum() == 83 + 3590 + 78 + 8 * 8


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("association", ["pre_established", "fresh"])
def test_legs_are_well_formed(service, framing, association):
    settings = ServiceSettings(framing=framing, association=association, timeout_s=7.0, tries=4)
    for policy in ("pull", "push"):
        legs = exchange_legs(service, policy, settings)
        n_legs = len(legs.label)
        types = {"direction": "i1", "bytes": "i4", "depends_on": "i2", "timeout_s": "f8", "tries": "i1"}
        for name, kind in types.items():
            assert getattr(legs, name).dtype == np.dtype(kind)
            assert getattr(legs, name).shape == (n_legs,)
        assert np.all(legs.depends_on < np.arange(n_legs))
        assert np.all(legs.timeout_s == 7.0)
        assert legs.tries.tolist() == [4 if policy == "pull" else 1] * n_legs
        assert "other" not in legs.label
    with pytest.raises(ValueError, match="read-only"):
        legs.bytes[0] = 1


def test_pushes_do_not_wait_for_each_other():
    legs = exchange_legs("profile", "push", ServiceSettings(max_pdu_bytes=512))
    assert set(legs.depends_on.tolist()) == {-1}
    assert set(legs.direction.tolist()) == {1}
    assert legs.bytes.max() <= 520


def test_session_table_lists_every_leg():
    table = session_table(ServiceSettings())
    assert list(table.columns) == ["service", "policy", "leg", "label", "direction", "bytes"]
    assert set(table.direction) == {"up", "down"}
    for (service, policy), rows in table.groupby(["service", "policy"]):
        assert rows.bytes.tolist() == lengths(service, policy, ServiceSettings())


@pytest.mark.parametrize(
    "wrong",
    [
        {"profile_channels": 0},
        {"profile_channels": 5},
        {"profile_interval_min": 7},
        {"encoding": "zip"},
        {"security": "suite_9"},
        {"association": "none"},
        {"framing": "ether"},
        {"max_pdu_bytes": 100},
        {"hdlc_max_info_bytes": 4000},
        {"timeout_s": 0.0},
        {"timeout_s": float("nan")},
        {"tries": 0},
        {"push_tries": 0},
    ],
)
def test_impossible_settings_are_refused_by_name(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ServiceSettings(**wrong)


def test_unknown_services_and_policies_are_refused():
    with pytest.raises(ValueError, match="weather"):
        exchange_legs("weather", "pull", GLO)
    with pytest.raises(ValueError, match="shout"):
        exchange_legs("register", "shout", GLO)


def test_every_setting_says_what_it_is():
    for item in fields(ServiceSettings):
        assert set(item.metadata) == {"unit", "meaning", "source", "confidence", "minimum", "maximum"}
        assert item.metadata["confidence"] in "ABC"
