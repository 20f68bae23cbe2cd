"""The traffic of a study: services, encodings, media, and templates that say what meters say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from amiplan.meters import fleet_check
from amiplan.meters.fleet import Answers
from amiplan.meters.fleet_check import Agreement, TemplateFault, agreed
from amiplan.meters.load import KIND_NAMES
from amiplan.meters.services import SERVICES, ServiceSettings
from amiplan.studies.case import embedded_cases, read_case
from amiplan.studies.sessions import Traffic, encoding_table, media_table, session_rows
from amiplan.studies.traffic_tables import agreement_line, folded_tables, traffic_tables

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
    assert one.n_answers == 2 * one.n_meters
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


def test_no_meters_are_nothing_to_compare():
    assert agreed(KEYS[:0], KINDS[:0], 0, ServiceSettings()) == Agreement(0, 0, 0, 0)


def test_the_report_tells_services_encodings_media_and_agreement(case, study):
    settings = ServiceSettings()
    media = pd.concat([media_table(one, settings) for one in case.technologies], ignore_index=True)
    totals = pd.DataFrame([("profile", "pull", 3622, 193, 8, 4)])
    totals.columns = ["service", "policy", "bytes_up", "bytes_down", "messages", "turns"]
    traffic = Traffic(totals, encoding_table(settings), media, ("a note",), Agreement(32, 16, 4, 5000))
    told = replace(study, traffic=traffic)
    services, encodings = traffic_tables(told)
    assert services.rows == (("profile", "pull", "3\u202f622", "193", "8", "4"),)
    assert len(encodings.rows) == 10
    assert encodings.rows[0][-1] == "1.00"
    assert len(folded_tables(told)) == len(case.technologies) + 1
    assert "32 of 32 answers" in agreement_line(told)
    assert agreement_line(study) == ""
    assert len(traffic_tables(study)) == 1
