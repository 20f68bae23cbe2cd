from dataclasses import fields, replace

import numpy as np
import pytest
from amiplan.meters.services import (
    POLICIES,
    SERVICES,
    ServiceSettings,
    Spoken,
    can_deliver,
    check_services,
    exchange_legs,
    notification_legs,
    policy_of,
    session_table,
    sized_profile_legs,
    spoken,
    summary_table,
)

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
        ("profile", ServiceSettings(profile_status=True, **WHOLE), [83, 3675]),
        ("profile", ServiceSettings(profile_values="energy", **WHOLE), [83, 2715]),
        ("profile", ServiceSettings(profile_values="energy", encoding="null_timestamps", **WHOLE), [83, 1480]),
        ("profile", ServiceSettings(encoding="compact_array", **WHOLE), [83, 2820]),
        ("profile", ServiceSettings(ciphering="general_glo", **WHOLE), [92, 3492]),
        ("profile", ServiceSettings(security="suite_2", **WHOLE), [83, 3483]),
        ("daily_billing", ServiceSettings(security="none", profile_status=True, **WHOLE), [64, 84]),
        ("daily_billing", ServiceSettings(profile_status=True, **WHOLE), [83, 103]),
        ("daily_billing", ServiceSettings(profile_status=True, billing_registers=6, **WHOLE), [83, 73]),
        ("event_log", PLAIN, [32, 366]),
        ("event_log", GLO, [51, 387]),
        ("on_demand", GLO, [32, 28]),
        ("clock_set", PLAIN, [27, 4]),
        ("clock_set", GLO, [46, 23]),
        ("disconnect", PLAIN, [15, 5, 13, 6]),
        ("disconnect", GLO, [34, 24, 32, 25]),
    ],
)
def test_message_budget(service, settings, expected):
    """Sizes measured with two independent DLMS libraries (gurux-dlms 1.0.203, dlms-cosem 25.1.0), wrapper 8 B more."""
    assert lengths(service, settings=settings) == [n + 8 for n in expected]


def test_push_budget():
    """A push of name, clock, 8-byte id and one u32 has 45 B plain and 73 B as general-glo."""
    assert lengths("register", "push", PLAIN) == [45 + 8]
    assert lengths("register", "push", GLO) == [73 + 8]
    assert lengths("last_gasp", "push", PLAIN) == [45 + 8]
    assert lengths("last_gasp", "push", GLO) == [73 + 8]


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
    for policy in {policy_of(service, policy, settings) for policy in POLICIES}:
        legs = exchange_legs(service, policy, settings)
        n_legs = len(legs.label)
        types = {"direction": "i1", "bytes": "i4", "depends_on": "i2", "timeout_s": "f8", "tries": "i1"}
        for name, kind in types.items():
            assert getattr(legs, name).dtype == np.dtype(kind)
            assert getattr(legs, name).shape == (n_legs,)
        assert np.all(legs.depends_on < np.arange(n_legs))
        assert np.all(legs.timeout_s == 7.0)
        assert legs.tries.tolist() == [4 if policy == "pull" else 1] * n_legs
        assert "ciphered" not in " ".join(legs.label)
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


def test_an_exchange_in_four_numbers():
    fresh = ServiceSettings(association="fresh")
    assert spoken(exchange_legs("register", "pull", fresh)) == Spoken(216, 215, 8, 4)
    counted = ServiceSettings(association="fresh", read_counter=True)
    assert spoken(exchange_legs("register", "pull", counted)) == Spoken(216 + 81, 215 + 73, 14, 7)
    framed = ServiceSettings(association="fresh", framing="hdlc")
    assert spoken(exchange_legs("register", "pull", framed)) == Spoken(216 + 34 + 9 + 24, 215 + 9 + 9 + 24, 12, 6)
    assert spoken(exchange_legs("last_gasp", "push", fresh)) == Spoken(81, 0, 1, 0)
    table = summary_table(fresh)
    assert list(table.columns) == ["service", "policy", "bytes_up", "bytes_down", "messages", "turns"]
    assert set(table.service) == set(SERVICES)


def test_a_kept_association_is_opened_once():
    kept, fresh = ServiceSettings(association="kept_open"), ServiceSettings(association="fresh")
    opening = exchange_legs("register", "pull", kept)
    assert opening.label == exchange_legs("register", "pull", fresh).label[:6]
    riding = exchange_legs("profile", "pull", kept, opens=False)
    assert riding.bytes.tolist() == lengths("profile", settings=ServiceSettings())


def test_a_window_of_frames_is_one_turn():
    legs = exchange_legs("profile", "pull", ServiceSettings(framing="hdlc", hdlc_window=3, **WHOLE))
    assert legs.bytes[legs.direction == 1].sum() == 3794
    assert legs.depends_on[:8].tolist() == [-1, 0, 0, 0, 3, 4, 4, 4]
    assert spoken(legs).turns == 10


def test_general_blocks_need_no_request_each():
    legs = exchange_legs("profile", "pull", ServiceSettings(block_transfer="general", general_window=8))
    assert (legs.direction == 0).sum() == 1
    assert set(legs.label[1:]) == {f"general block {number}" for number in (1, 2, 3, 4)}
    assert legs.depends_on.tolist() == [-1, 0, 0, 0, 0]


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("association", ["pre_established", "kept_open", "fresh"])
def test_a_profile_of_given_length_has_the_legs_of_a_real_one(framing, association):
    settings = ServiceSettings(framing=framing, association=association)
    real, sized = exchange_legs("profile", "pull", settings), sized_profile_legs("profile", 3458, settings)
    assert sized.label == real.label
    assert np.array_equal(sized.bytes, real.bytes)
    for n_bytes in (2, 129, 130, 131, 132):
        assert sized_profile_legs("profile", n_bytes, PLAIN).bytes.tolist() == [72, n_bytes + 12]
    with pytest.raises(ValueError, match="2 are the least"):
        sized_profile_legs("profile", 1, PLAIN)


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_a_notification_of_given_length_has_the_legs_of_a_real_one(framing):
    settings = ServiceSettings(framing=framing)
    real, sized = exchange_legs("daily_billing", "push", settings), notification_legs(132, settings)
    assert np.array_equal(sized.bytes, real.bytes)
    assert np.array_equal(sized.depends_on, real.depends_on)


def test_profiles_of_named_periods_are_those_of_their_interval():
    hourly = ServiceSettings(profile_interval_min=60)
    assert lengths("profile_60min", settings=ServiceSettings()) == lengths("profile", settings=hourly)
    assert lengths("profile_60min", "push", ServiceSettings()) == lengths("profile", "push", hourly)


@pytest.mark.parametrize(
    ("service", "policy", "settings"),
    [
        ("on_demand", "push", GLO),
        ("clock_set", "push", GLO),
        ("disconnect", "push", GLO),
        ("last_gasp", "pull", GLO),
        ("profile", "push", ServiceSettings(profile_timestamps=False)),
    ],
)
def test_a_policy_that_cannot_deliver_is_refused_and_the_other_is_named(service, policy, settings):
    with pytest.raises(ValueError, match=service):
        exchange_legs(service, policy, settings)
    assert policy_of(service, policy, settings) != policy


@pytest.mark.parametrize(
    "wrong",
    [
        {"profile_channels": 0},
        {"profile_channels": 5},
        {"profile_interval_min": 7},
        {"encoding": "zip"},
        {"profile_values": "power"},
        {"protection": "shout"},
        {"ciphering": "rot13"},
        {"block_transfer": "none"},
        {"hdlc_server_address_bytes": 3},
        {"hdlc_window": 8},
        {"general_window": 64},
        {"billing_registers": 13},
        {"event_rows": 0},
        {"read_counter": True, "association": "pre_established"},
        {"read_counter": True, "association": "fresh", "security": "none"},
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


def test_what_does_not_fit_the_longest_apdu_goes_the_other_way_or_is_refused():
    """The row of a billing with 12 registers has 132 B as a push; columns by name make a request of 183 B."""
    short = ServiceSettings(max_pdu_bytes=128)
    assert policy_of("daily_billing", "push", short) == "pull"
    with pytest.raises(ValueError, match=r"daily_billing cannot be pushed with max_pdu_bytes = 128.* 132 bytes"):
        exchange_legs("daily_billing", "push", short)
    assert policy_of("daily_billing", "push", replace(short, max_pdu_bytes=132)) == "push"
    untimed = replace(short, profile_timestamps=False, profile_status=True, ciphering="general_glo")
    with pytest.raises(ValueError, match=r"profile cannot be pulled with max_pdu_bytes = 128.* 183 bytes"):
        exchange_legs("profile", "pull", untimed)
    with pytest.raises(ValueError, match=r"raise it; .*cannot be pushed without its times"):
        check_services(("register", "profile"), untimed)
    check_services(("profile",), replace(untimed, max_pdu_bytes=183))
    assert exchange_legs("profile", "pull", replace(untimed, max_pdu_bytes=183)).bytes[0] == 183 + 8
    assert set(summary_table(untimed).service) == {one for one in SERVICES if "profile" not in one}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("service", SERVICES)
def test_a_longer_limit_never_costs_messages_and_ciphering_never_saves_bytes(service, policy):
    if not can_deliver(service, policy, ServiceSettings()):
        return
    for framing in ("wrapper", "hdlc"):
        settings = [ServiceSettings(framing=framing, max_pdu_bytes=limit) for limit in (256, 512, 1024, 4096, 65535)]
        said = [spoken(exchange_legs(service, policy, one)) for one in settings]
        if framing == "wrapper":
            assert [one.messages for one in said] == sorted((one.messages for one in said), reverse=True)
        plain = [spoken(exchange_legs(service, policy, replace(one, security="none"))) for one in settings]
        for ciphered, open_text in zip(said, plain, strict=True):
            assert ciphered.bytes_up > open_text.bytes_up
            assert ciphered.bytes_down >= open_text.bytes_down


def test_unknown_services_and_policies_are_refused():
    with pytest.raises(ValueError, match="weather"):
        exchange_legs("weather", "pull", GLO)
    with pytest.raises(ValueError, match="shout"):
        exchange_legs("register", "shout", GLO)


def test_every_setting_says_what_it_is():
    for item in fields(ServiceSettings):
        assert set(item.metadata) == {"unit", "meaning", "source", "confidence", "minimum", "maximum"}
        assert item.metadata["confidence"] in "ABC"
