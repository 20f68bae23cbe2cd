"""Severities and times: tables a user can edit, and harsher never better on the same draws."""

import dataclasses
import re

import numpy as np
import pytest
from amiplan.channels.draws import Draws, mix
from amiplan.channels.powerline.cycle import CYCLIC_MODELS
from amiplan.channels.powerline.editable import shipped
from amiplan.channels.powerline.emission import emitters_of
from amiplan.channels.powerline.impulses import dense_rise, erasure_ratio
from amiplan.channels.powerline.noise import background_uv2, cycle_pattern, lines_uv2
from amiplan.channels.powerline.noise_parameters import NoiseParameters
from amiplan.channels.powerline.scenarios import LineScenario, Moment, Severity
from amiplan.channels.scenario import Scenario
from amiplan.studies.settings import UserError, described, fill, touched_keys
from noise import CARRIER_HZ, CENELEC_A, FCC, SPACING_HZ, noise_settings

KEYS = mix(np.arange(300, dtype=np.uint64))
AREA = np.repeat(KEYS[:30], 10)
ORDER = ("quiet", "typical", "harsh")
FCC_HZ = 4687.5 * np.arange(33, 105)
NEW = {
    "noise_offset_db": 5,
    "emitter_factor": 1,
    "lines_factor": 1,
    "impulse_index": 0.1,
    "impulse_ratio": 0,
    "burst_rate_hz": 2,
    "burst_length_s": 1e-3,
    "pulse_db": 0,
    "pulse_s": 0,
}


def line(**table):
    return fill(Scenario, {"powerline": table}, "case.toml [scenario]").powerline


def test_the_shipped_tables_have_sources_and_rise_from_quiet_to_harsh():
    severities, moments = shipped(Severity, "scenarios.csv"), shipped(Moment, "times.csv")
    assert tuple(severities) == ORDER
    assert tuple(moments) == ("day", "evening", "night")
    for row in (*severities.values(), *moments.values()):
        assert row.confidence == "C"
        assert row.source
    columns = [item.name for item in dataclasses.fields(Severity) if item.metadata]
    table = np.array([[getattr(severities[name], column) for column in columns] for name in ORDER])
    assert np.all(np.diff(table, axis=0) >= 0)
    assert np.all(table[:, columns.index("impulse_index")] == table[0, columns.index("impulse_index")])
    neutral = severities["typical"]
    assert (neutral.noise_offset_db, neutral.emitter_factor, neutral.lines_factor) == (0, 1, 1)
    assert (neutral.impulse_ratio, neutral.pulse_s, moments["day"].noise_offset_db) == (0, 0, 0)


@pytest.mark.parametrize("cyclic", CYCLIC_MODELS)
@pytest.mark.parametrize(("receiver", "frequency_hz"), [(CENELEC_A, CARRIER_HZ), (FCC, FCC_HZ)])
def test_every_component_grows_or_stays_from_quiet_to_harsh(cyclic, receiver, frequency_hz):
    before = None
    for severity in ORDER:
        settings = noise_settings(severity, receiver=receiver, cyclic=cyclic)
        draws, window = Draws(7, 2), receiver.window_s
        background = background_uv2(KEYS, AREA, frequency_hz, draws, settings)
        background = background * dense_rise(settings.impulses, window)
        over_cycle = background[:, None, None] * cycle_pattern(settings, frequency_hz, 3)
        lines = lines_uv2(KEYS, frequency_hz, draws, settings)
        emitters = emitters_of(KEYS, None, frequency_hz, receiver.bandwidth_hz, draws, settings.emitters)
        emitted = np.zeros((len(settings.emitters.kinds), KEYS.size, frequency_hz.size))
        emitted[emitters.kind, emitters.row] = emitters.level_uv2
        now = (over_cycle, lines, emitted, erasure_ratio(settings.impulses, window))
        if before is not None:
            for less, more in zip(before, now, strict=True):
                assert np.all(np.asarray(more) >= np.asarray(less) * (1 - 1e-12))
            assert now[0].mean() > 1.5 * before[0].mean()
            assert now[3] > before[3]
        before = now


def test_severity_and_time_leave_the_loads_as_they_are_but_for_the_hour():
    assert {LineScenario(severity=name).moment.hour for name in ORDER} == {10.0}
    first, other = LineScenario(), LineScenario(severity="harsh", time="evening")
    np.testing.assert_array_equal(first.appliances.mean_count, other.appliances.mean_count)
    assert other.moment.hour == 20.0
    assert other.noise_offset_db == other.harshness.noise_offset_db + 3.0
    assert noise_settings(time="night").emitters.hour == 3.0
    assert noise_settings(time="night").offset_db == noise_settings().offset_db - 3.0
    # a louder hour on the same draws only raises the background
    day, evening = (
        background_uv2(KEYS, AREA, CARRIER_HZ, Draws(7), noise_settings(time=t)) for t in ("day", "evening")
    )
    np.testing.assert_allclose(evening, day * 10**0.3)


def test_a_user_edits_rows_and_adds_new_ones():
    edited = line(
        severity="harsh",
        time="evening",
        severities={"harsh": {"noise_offset_db": 9}},
        times={
            "evening": {"hour": 20.5},
            "dawn": {"hour": 5, "noise_offset_db": -1},
        },
    )
    shipped_row = shipped(Severity, "scenarios.csv")["harsh"]
    assert edited.harshness.noise_offset_db == 9
    assert edited.harshness.burst_rate_hz == shipped_row.burst_rate_hz
    assert edited.harshness.source == "case file"
    assert edited.moment == Moment("evening", 20.5, 3.0, "user", "case file")
    assert line(time="dawn", times={"dawn": {"hour": 5, "noise_offset_db": -1}}).moment.hour == 5
    assert line(severity="mine", severities={"mine": NEW}).harshness.burst_rate_hz == 2
    louder = line(emitters={"ev_charger": {"high_dbuv": 120, "hours": [1] * 24}})
    kind = next(one for one in louder.emitter_kinds if one.name == "ev_charger")
    assert (kind.high_dbuv, kind.hours) == (120, (1,) * 24)
    assert line() == LineScenario() == Scenario().powerline
    assert line(loads={"builtin_appliances": True}).appliances.names == LineScenario().appliances.names


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"severity": "hrsh"}, "did you mean 'harsh'?"),
        ({"time": "noon"}, "time = 'noon' is unknown"),
        ({"severty": "harsh"}, "did you mean 'severity'?"),
        ({"severity": 3}, "a text in quotes is needed"),
        ({"severities": {"harsh": {"noise_offset": 9}}}, "did you mean 'noise_offset_db'?"),
        ({"severities": {"harsh": {"noise_offset_db": "9"}}}, "severities.harsh noise_offset_db = '9': a number"),
        ({"severities": {"harsh": {"lines_factor": True}}}, "a number is needed"),
        ({"severities": {"harsh": {"pulse_s": float("nan")}}}, "a number is needed"),
        ({"severities": {"harsh": {"pulse_s": -1}}}, "severities.harsh: pulse_s = -1 must not be negative"),
        ({"severities": {"harsh": {"burst_rate_hz": 5000}}}, "bursts fill all the time"),
        ({"severities": {"mine": {"noise_offset_db": 9}}}, "mine is new and lacks emitter_factor"),
        ({"severities": {"harsh": 9}}, "a section for each row is needed"),
        ({"emitters": 3}, "a section for each row is needed"),
        ({"loads": 3}, "this is a section"),
        (
            {"severities": {"harsh": {"noise_offset_db": 1e6}}},
            "noise_offset_db = 1000000.0 [dB]: allowed is from -60 to 60",
        ),
        ({"severities": {"harsh": {"pulse_db": 1e5}}}, "severities.harsh pulse_db"),
        ({"severities": {"harsh": {"pulse_s": 0.02}}}, "pulse_s = 0.02 [s]: allowed is at most 0.005"),
        ({"emitters": {"ev_charger": {"high_dbuv": 1e9}}}, "allowed is from -40 to 160"),
        ({"emitters": {"ev_charger": {"hours": [1e9] * 24}}}, "allowed is at most 1000"),
        ({"loads": {"appliances": {"pump": {"like": 3}}}}, "appliance 'pump' like = 3: a text in quotes is needed"),
        ({"loads": {"appliances": {"pump": {"like": "motr"}}}}, "did you mean 'motor'?"),
        ({"times": {"evening": {"hour": 25}}}, "times.evening: hour = 25 is no time of day"),
        ({"emitters": {"ev_charger": {"hours": 3}}}, "a list of numbers is needed"),
        ({"emitters": {"ev_charger": {"hours": [1, 2]}}}, "24 factors"),
        ({"loads": {"aplliances": {}}}, "appliances"),
    ],
)
def test_bad_tables_are_one_line(table, words):
    with pytest.raises(UserError, match=re.escape(words)) as refused:
        line(**table)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith("case.toml [scenario.powerline]")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"environment": "lunar"}, "write one of rural"),
        ({"cyclic_noise": "katayama"}, "write one of none"),
        ({"noise_line_low_db": 50.0}, "lower the first"),
        ({"noise_line_width_low_hz": 9e4}, "lower the first"),
    ],
)
def test_parameters_that_contradict_each_other_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        NoiseParameters(**change)


def test_parameters_reach_the_settings_and_factors_stay_within_limits():
    scenario = Scenario(noise_offset_db=2.0, powerline=LineScenario(severity="harsh", time="evening"))
    parameters = NoiseParameters(environment="urban", noise_offset_db=1.0, noise_lines_per_node=8.0, emitter_ratio=0.6)
    settings = parameters.noise_settings(scenario, CENELEC_A)
    assert settings.offset_db == 2.0 + 1.0 + 0.0 + 3.0 + 3.0
    assert settings.lines_per_node == 10
    assert settings.emitters.ratio == 1.0
    assert settings.bandwidth_hz == SPACING_HZ
    assert settings.impulses.sampling_hz == 400e3


def test_what_is_chosen_or_changed_stands_among_the_assumptions():
    table = {"severity": "harsh", "severities": {"harsh": {"noise_offset_db": 9}}}
    touched = touched_keys(table, "scenario.powerline.")
    chosen = line(**table, emitters={"ev_charger": {"high_dbuv": 120}})
    assert [(kind, one.name) for kind, one in chosen.rows_in_use] == [
        ("severities", "harsh"),
        ("times", "day"),
        ("emitters", "ev_charger"),
    ]
    rows = {
        (kind, row["name"]): row
        for kind, one in chosen.rows_in_use
        for row in described(one, f"scenario.powerline.{kind}.{one.name}", touched)
    }
    assert rows["severities", "noise_offset_db"]["origin"] == "user"
    assert rows["severities", "burst_rate_hz"]["origin"] == "default"
    assert rows["times", "hour"]["unit"] == "h"
    assert rows["emitters", "high_dbuv"]["value"] == "120"
    assert all(row["confidence"] == "C" and row["meaning"] for row in rows.values())
