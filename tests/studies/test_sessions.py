"""The traffic of a study: services, encodings, media, and templates that say what meters say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from amiplan.meters import fleet_check
from amiplan.meters.fleet import Answers
from amiplan.meters.fleet_check import Agreement, TemplateFault, agreed
from amiplan.meters.fleet_data import TEMPLATES
from amiplan.meters.load import KIND_NAMES
from amiplan.meters.services import SERVICES, ServiceSettings
from amiplan.studies.case import embedded_cases, read_case
from amiplan.studies.sessions import Traffic, carried_table, encoding_table, media_table, session_rows, way_words
from amiplan.studies.traffic_tables import agreement_line, folded_tables, seconds_text, traffic_tables

KEYS = np.arange(100, 140, dtype=np.uint64)
KINDS = np.array(KIND_NAMES)[np.arange(40) % len(KIND_NAMES)]


@pytest.fixture(scope="module")
def case():
    return read_case(embedded_cases()["north_bayreuth"])


def test_the_legs_are_those_of_the_case(case):
    rows = session_rows(case)
    assert set(zip(rows.service, rows.policy, strict=True)) == {
        (service, policy) for service in case.settings.service.services for policy in ("pull", "push")
    }


def test_encodings_compare_with_registers_in_full():
    table = encoding_table(ServiceSettings(max_pdu_bytes=65535))
    whole = dict(zip(zip(table.encoding, table.profile_values, strict=True), table.bytes_up, strict=True))
    assert len(whole) == 10
    assert whole["full", "registers"] == 3483 + 8
    assert whole["null_timestamps", "energy"] == 1480 + 8
    assert whole["delta", "registers"] < whole["null_timestamps", "registers"] / 1.5


def test_media_count_frames_and_time_of_every_service(case):
    for technology in case.technologies:
        table = media_table(technology, ServiceSettings())
        assert list(dict.fromkeys(table.service)) == list(SERVICES)
        assert (table.frames >= 1).all()
        robust, fastest = technology.modes[0], technology.modes[-1]
        time_s = table.pivot_table(index="service", columns="mode", values="airtime_s", observed=True)
        assert (time_s[robust] >= time_s[fastest]).all()
        assert time_s[robust]["profile"] > time_s[robust]["register"]


@pytest.mark.parametrize(
    "settings",
    [
        ServiceSettings(),
        ServiceSettings(encoding="delta", association="fresh", framing="hdlc", read_counter=True),
        ServiceSettings(
            encoding="null_unchanged", profile_values="energy", security="suite_2", ciphering="general_glo"
        ),
        ServiceSettings(encoding="compact_array", security="lls", profile_timestamps=False, profile_status=True),
        ServiceSettings(block_transfer="general", max_pdu_bytes=256, protection="encrypted", security="suite_1"),
        ServiceSettings(protection="authenticated", profile_interval_min=240, encoding="null_timestamps"),
    ],
    ids=lambda s: f"{s.security}-{s.encoding}-{s.block_transfer}",
)
def test_templates_say_what_meters_say(settings):
    one = agreed(KEYS, KINDS, 0, settings, 3)
    assert one.n_answers == len(TEMPLATES) * one.n_meters
    assert one.n_pushes >= (3 if settings.profile_timestamps else 2) * one.n_meters
    assert one.n_meters >= one.n_strata >= len(KIND_NAMES)
    assert one == agreed(KEYS[::-1].copy(), KINDS[::-1].copy(), 0, settings, 3)


def test_a_byte_that_differs_is_a_fault_that_names_meter_and_place(monkeypatch):
    made = fleet_check.answer_bytes

    def wrong(service, *rest):
        answers = made(service, *rest)
        content = answers.content.copy()
        content[20] ^= 1
        return Answers(content, answers.start, answers.meter_start)

    monkeypatch.setattr(fleet_check, "answer_bytes", wrong)
    with pytest.raises(TemplateFault, match=r"key 1\d\d, register: template and meter differ from byte 20 on"):
        agreed(KEYS, KINDS, 0, ServiceSettings())
    assert not issubclass(TemplateFault, ValueError)


@pytest.mark.parametrize("service", SERVICES)
def test_every_scheduled_service_is_compared_in_every_way_that_it_has(service):
    one = agreed(KEYS[:7], KINDS[:7], 0, ServiceSettings(encoding="delta"), services=(service,))
    assert (one.n_answers > 0) == (service not in ("on_demand", "clock_set", "disconnect", "last_gasp"))
    assert (one.n_pushes > 0) == (service not in ("on_demand", "clock_set", "disconnect"))


@pytest.mark.parametrize("encoding", ["full", "delta"])
def test_a_push_longer_than_counted_is_a_fault_that_names_the_meter(monkeypatch, encoding):
    counted = fleet_check._notifications
    monkeypatch.setattr(fleet_check, "_notifications", lambda *of: [[one + 1 for one in n] for n in counted(*of)])
    with pytest.raises(TemplateFault, match=r"key 1\d\d, push of profile: .* bytes counted"):
        agreed(KEYS, KINDS, 0, ServiceSettings(encoding=encoding), services=("profile",))


def test_no_meters_are_nothing_to_compare():
    assert agreed(KEYS[:0], KINDS[:0], 0, ServiceSettings()) == Agreement(0, 0, 0, 0)


@pytest.mark.parametrize(
    "settings",
    [
        ServiceSettings(max_pdu_bytes=128),
        ServiceSettings(max_pdu_bytes=128, profile_timestamps=False, profile_status=True),
    ],
)
def test_tables_leave_out_what_no_way_can_deliver(case, settings):
    for technology in case.technologies:
        n_told = len(set(media_table(technology, settings).service))
        assert n_told == len(SERVICES) - (0 if settings.profile_timestamps else 4)
        assert len(carried_table(technology, settings)) == (10 if settings.profile_timestamps else 0)
    assert len(encoding_table(settings)) == (10 if settings.profile_timestamps else 0)


def test_how_it_is_said_in_one_line():
    fresh = ServiceSettings(association="kept_open", security="none", framing="hdlc", max_pdu_bytes=512)
    assert way_words(fresh) == "no security, association kept open, over hdlc, APDUs of at most 512 B"
    assert "pre-established" in way_words(ServiceSettings())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0581, "58 ms"), (1.99996, "2.00 s"), (11.24, "11.2 s"), (221.4, "221 s"), (4321.0, "4\u202f321 s")],
)
def test_times_have_three_digits(seconds, text):
    assert seconds_text(seconds) == text


def test_the_report_tells_services_encodings_media_and_agreement(case, study):
    settings = ServiceSettings()
    media = pd.concat([media_table(one, settings) for one in case.technologies], ignore_index=True)
    carried = pd.concat([carried_table(one, settings) for one in case.technologies], ignore_index=True)
    totals = pd.DataFrame([("profile", "pull", 3622, 193, 8, 4)])
    totals.columns = ["service", "policy", "bytes_up", "bytes_down", "messages", "turns"]
    agreement = Agreement(32, 16, 1, 5000, 48)
    traffic = Traffic(totals, encoding_table(settings), media, carried, settings, ("a note",), agreement)
    told = replace(study, traffic=traffic)
    services, encodings, carried = traffic_tables(told)
    assert services.rows[0][:2] == ("profile", "pull")
    assert services.rows[0][3:] == ("3\u202f622", "193", "8", "4")
    assert len(encodings.rows) == 10
    assert [row[2] for row in encodings.rows] == ["yes", *[""] * 9]
    assert encodings.rows[0][7] == "1.00"
    assert len(carried.rows) == 10
    assert carried.rows[0][:3] == ("full", "registers", "yes")
    assert len(carried.head) == 3 + len(case.technologies)
    assert all(text.endswith((" s", " ms")) for row in carried.rows for text in row[3:])
    assert len(folded_tables(told)) == len(case.technologies) + 1
    assert "32 of 32 answers" in agreement_line(told)
    assert "from 1 stratum of" in agreement_line(told)
    assert "48 of 48 pushes" in agreement_line(told)
    assert agreement_line(study) == ""
    assert len(traffic_tables(study)) == 1
