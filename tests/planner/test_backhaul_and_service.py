from __future__ import annotations

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.paths import Enclosure
from amiplan.channels.technology import Exchanges, Outcome, Reason
from amiplan.planner.backhaul import Backhaul, BackhaulKind, left_for_access, through_backhaul
from amiplan.planner.positions import PositionMix, antenna_height_m
from amiplan.planner.service import ServiceLevel, least_replications


def two_meters() -> tuple[Exchanges, Outcome]:
    legs = np.arange(4)
    exchanges = Exchanges(
        exchange=legs // 2,
        leg=legs % 2,
        meter=legs // 2,
        service=np.zeros(4, int),
        direction=np.array([0, 1, 0, 1]),
        bytes=np.array([40, 1000, 40, 1000]),
        depends_on=np.array([-1, 0, -1, 0]),
        not_before_s=np.zeros(4),
        timeout_s=np.ones(4),
        tries=np.ones(4),
        services=("profile",),
        window_s=(3600.0,),
    )
    p = np.array([[0.9, 1.0]])
    outcome = Outcome(p, p * 2, p * 4, p, np.array([[Reason.NOISE, Reason.NONE]]))
    return exchanges, outcome


def test_without_backhaul_nothing_is_served() -> None:
    exchanges, outcome = two_meters()
    after = through_backhaul(outcome, exchanges, np.array([0, 0]), BackhaulKind(availability=0.0))
    assert after.p_arrive.max() == 0.0
    assert (after.reason == Reason.BACKHAUL).all()


def test_availability_multiplies_and_delay_adds_per_leg() -> None:
    exchanges, outcome = two_meters()
    after = through_backhaul(outcome, exchanges, np.array([0, 0]), BackhaulKind(delay_s=0.5, availability=0.98))
    assert after.p_arrive.tolist() == [[0.9 * 0.98, 0.98]]
    assert after.latency_p50_s.tolist() == [[0.9 * 2 + 1.0, 3.0]]
    assert after.reason.tolist() == [[Reason.NOISE, Reason.BACKHAUL]]


def test_a_full_backhaul_carries_its_share() -> None:
    exchanges, outcome = two_meters()
    room = BackhaulKind(availability=1.0, capacity_bps=2080 * 8 / 3600 / 4)
    after = through_backhaul(outcome, exchanges, np.array([0, 0]), room)
    assert after.p_arrive[0, 1] == pytest.approx(0.25)


def test_unknown_backhaul_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="fibre, cellular or satellite"):
        Backhaul(own_sites="pigeon").of(operator=False)


def test_the_deadline_must_follow_the_start() -> None:
    with pytest.raises(ValueError, match="later than"):
        _ = ServiceLevel(start_h=9.0, deadline_h=8.0).window_s


def test_the_level_reads_as_a_sentence() -> None:
    three = ServiceLevel(services=("register", "event_log", "profile")).text
    assert three.startswith("register, event log and profile of every meter")
    text = ServiceLevel(services=("profile",), start_h=1.5).text
    assert "01:30" in text
    assert "08:00" in text
    assert "95%" in text


def test_a_read_on_demand_is_not_collected() -> None:
    both = ServiceLevel(services=("on_demand", "register"), start_h=18.0, deadline_h=24.0).text
    assert both.startswith("register of every meter, once a day, collected from 18:00")
    assert (
        "; a read on demand of every meter, once a day, asked for at a random moment of it and answered within 6 h;"
        in both
    )
    alone = ServiceLevel(services=("on_demand",)).text
    assert alone.startswith("a read on demand of every meter")
    assert "collected" not in alone


def test_places_follow_the_stated_mix() -> None:
    keys = np.arange(40_000, dtype=np.uint64)
    codes = PositionMix(facade_box=1.0, indoor=2.0, basement=1.0, steel_cabinet=0.0).draw(keys, Draws(1, 0))
    share = np.bincount(codes, minlength=6) / keys.size
    assert share[Enclosure.FACADE_BOX] == pytest.approx(0.25, abs=0.01)
    assert share[Enclosure.INDOOR] == pytest.approx(0.5, abs=0.01)
    assert share[Enclosure.STEEL_CABINET] == 0.0


def test_places_need_a_positive_share() -> None:
    with pytest.raises(ValueError, match="positive"):
        PositionMix(0.0, 0.0, 0.0, 0.0, 0.0).draw(np.zeros(1, np.uint64), Draws(1))


def test_basement_antennas_lie_low() -> None:
    height = antenna_height_m(np.array([4.5, 4.5]), np.array([Enclosure.BASEMENT, Enclosure.INDOOR]))
    assert height.tolist() == [0.5, 4.5]


def test_a_delay_beyond_the_window_serves_nobody() -> None:
    exchanges, outcome = two_meters()
    slow = BackhaulKind(delay_s=1800.0, availability=1.0)
    after = through_backhaul(outcome, exchanges, np.array([0, 0]), slow)
    assert after.p_arrive.max() == 0.0
    assert (after.reason == Reason.BACKHAUL).all()
    assert left_for_access(exchanges, slow).window_s == (1.0,)
    assert left_for_access(exchanges, BackhaulKind(delay_s=10.0)).window_s == (3580.0,)


@pytest.mark.parametrize("services", [(), ("register", "register"), ("regster",)])
def test_an_empty_doubled_or_unknown_service_is_refused(services: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="at least one of register, daily_billing, profile"):
        ServiceLevel(services=services)


@pytest.mark.parametrize(("asked", "available"), [(0.95, 1.0), (0.95, 0.995), (0.9, 1.0), (0.99, 0.999), (0.01, 0.9)])
def test_from_the_least_replications_on_one_failing_draw_is_forgiven(asked, available):
    least = least_replications(asked, available)
    assert available * (least - 1) / least >= asked - 1e-9
    assert least == 1 or available * (least - 2) / (least - 1) < asked


@pytest.mark.parametrize(("asked", "available"), [(1.0, 1.0), (0.95, 0.95), (0.95, 0.5), (0.95, 0.0)])
def test_where_no_number_of_replications_is_enough_none_is_asked_for(asked, available):
    assert least_replications(asked, available) == 1
