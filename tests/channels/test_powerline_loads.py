"""Appliances behind a meter: circuits against a plain reference, draws, tables, and where the impedances lie."""

import dataclasses

import numpy as np
import pytest
from amiplan.channels.draws import Draws, MedianDraws, mix
from amiplan.channels.paths import CUSTOMER_CLASSES
from amiplan.channels.powerline.appliance_rows import rows_of
from amiplan.channels.powerline.appliances import INSTALLATION_PARTS, appliance_table
from amiplan.channels.powerline.channel import drawn_phases
from amiplan.channels.powerline.loads import SKIN_REFERENCE_HZ, devices, house_admittance_s
from amiplan.channels.powerline.plans import plan, survey
from amiplan.channels.powerline.terminals import circuits, shunts
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies import technology
from feeders import feeder
from scipy.stats import binom

KEYS = mix(np.arange(400, dtype=np.uint64))
BAND_HZ = np.arange(10e3, 170.1e3, 5e3)
HOURS = (2.0, 8.0, 13.0, 19.0, 22.0)
HOUSE, FLAT, FARM, COMMERCIAL, PUBLIC, INDUSTRIAL, OTHER = range(7)


def admittance(keys=KEYS, kind=HOUSE, share=1.0, frequency_hz=BAND_HZ, draws=None, hour=19.0, factor=1.0, table=None):
    kinds = np.broadcast_to(np.int8(kind), keys.shape)
    shares = np.broadcast_to(float(share), keys.shape)
    return house_admittance_s(
        keys, keys, kinds, shares, frequency_hz, draws or Draws(1), hour=hour, impedance_factor=factor, table=table
    )


def impedance(**given):
    return np.abs(1 / admittance(**given))


def alone(name, **columns):
    """A table with one appliance that every house has."""
    counts = dict.fromkeys(CUSTOMER_CLASSES, 1)
    like = {"like": "small_heater", "hours": "always", "on_ratio": 1, "most": 1} | counts | columns
    return appliance_table({"builtin_appliances": False, "appliances": {name: like}})


def ranges(**values):
    return {f"{part}_{end}": value for part, value in values.items() for end in ("low", "high")}


def test_circuits_equal_a_plain_calculation():
    keys, share, table = KEYS[:40], np.full(40, 1.0), appliance_table()
    kind = (np.arange(40) % 7).astype(np.int8)
    drawn = devices(keys, keys, kind, share, Draws(3), hour=18.5, table=table)
    fast = house_admittance_s(keys, keys, kind, share, BAND_HZ, Draws(3), hour=18.5, impedance_factor=1.0)
    jw, skin = 2j * np.pi * BAND_HZ, np.sqrt(BAND_HZ / SKIN_REFERENCE_HZ)
    for circuit in range(keys.size):
        riser_ohm, riser_h, wiring_f, wiring_ohm = drawn.installation[circuit]
        for state in range(2):
            board = 1 / (wiring_ohm + 1 / (jw * wiring_f))
            for one in range(drawn.start[circuit], drawn.start[circuit + 1]):
                r, l, c, x_f, x_ohm, feed_ohm, feed_h = drawn.part[one]
                inner = np.zeros(BAND_HZ.size, complex)
                if x_f > 0:
                    inner += 1 / (x_ohm + 1 / (jw * x_f))
                if drawn.running[one] and r > 0 and (state or not drawn.rectifier[one]):
                    inner += 1 / (r + jw * l + (1 / (jw * c) if c > 0 else 0))
                if np.any(inner):
                    board += 1 / (feed_ohm * skin + jw * feed_h + 1 / inner)
            expected = 1 / (riser_ohm * skin + jw * riser_h + 1 / board)
            np.testing.assert_allclose(fast[state, circuit], expected, rtol=1e-12)


def test_a_heater_is_what_ohm_says():
    table = alone("heater", **ranges(r_ohm=40, l_uh=10, feed_ohm=1, feed_uh=5))
    drawn = devices(KEYS[:1], KEYS[:1], np.zeros(1, np.int8), np.ones(1), Draws(1), hour=3, table=table)
    riser_ohm, riser_h, wiring_f, wiring_ohm = drawn.installation[0]
    w = 2 * np.pi * 100e3
    board = 1 / (41 + 1j * w * 15e-6) + 1 / (wiring_ohm + 1 / (1j * w * wiring_f))
    got = admittance(keys=KEYS[:1], frequency_hz=np.array([100e3]), table=table)
    np.testing.assert_allclose(1 / got[:, 0, 0], riser_ohm + 1j * w * riser_h + 1 / board, rtol=1e-12)


def test_a_filter_resonates_where_thomson_says():
    # 50 uH and 1 uF in the main branch: 22.5 kHz; riser and feed of nothing to speak of
    tiny = {"house": ranges(riser_ohm=1e-6, riser_uh=1e-6, wiring_uf=1e-6, wiring_ohm=1)}
    columns = ranges(r_ohm=0.2, l_uh=50, c_uf=1, feed_ohm=1e-6, feed_uh=1e-6)
    counts = dict.fromkeys(CUSTOMER_CLASSES, 1)
    row = {"like": "small_heater", "hours": "always", "on_ratio": 1, "most": 1} | counts | columns
    table = appliance_table({"builtin_appliances": False, "installations": tiny, "appliances": {"filter": row}})
    f = np.linspace(15e3, 30e3, 3001)
    z = impedance(keys=KEYS[:1], frequency_hz=f, table=table)[0, 0]
    assert f[z.argmin()] == pytest.approx(1 / (2 * np.pi * np.sqrt(50e-6 * 1e-6)), rel=1e-3)
    assert z.min() == pytest.approx(0.2, rel=1e-3)


@pytest.mark.parametrize("kind", range(7))
@pytest.mark.parametrize("share", [1.0, 1 / 3])
def test_every_circuit_is_passive_up_to_500_khz(kind, share):
    f = np.linspace(9e3, 500e3, 60)
    for hour in HOURS:
        assert np.all(admittance(kind=kind, share=share, frequency_hz=f, hour=hour).real > 0)


@pytest.mark.parametrize("kind", [HOUSE, FLAT, COMMERCIAL])
def test_nine_tenths_of_single_phase_impedances_lie_between_1_and_21_ohm(kind):
    z = np.array([impedance(keys=mix(KEYS + 10_000), kind=kind, hour=hour, draws=Draws(77)) for hour in HOURS])
    assert np.mean((z >= 1) & (z <= 21)) >= 0.9


def test_nine_tenths_of_a_mixture_lie_between_1_and_21_ohm():
    keys = mix(np.arange(2000, dtype=np.uint64) + 50_000)
    share_of_class = [0.45, 0.35, 0.03, 0.12, 0.02, 0.02, 0.01]
    kind = np.searchsorted(np.cumsum(share_of_class), Draws(5).uniform("class", keys)).astype(np.int8)
    z = np.array([impedance(keys=keys, kind=kind, hour=hour, draws=Draws(78)) for hour in HOURS])
    assert np.mean((z >= 1) & (z <= 21)) >= 0.9


@pytest.mark.parametrize(("kind", "low", "high"), [(HOUSE, 0.75, 0.85), (FLAT, 0.65, 0.75), (COMMERCIAL, 0.83, 0.9)])
def test_one_phase_of_three_lies_above_the_range_as_often_as_the_method_page_says(kind, low, high):
    z = np.array([impedance(keys=mix(KEYS + 10_000), kind=kind, share=1 / 3, hour=h, draws=Draws(77)) for h in HOURS])
    assert low < np.mean((z >= 1) & (z <= 21)) < high
    assert np.mean(z > 21) > np.mean(z < 1)
    assert np.mean(z[..., BAND_HZ < 30e3] > 21) > np.mean(z[..., BAND_HZ > 60e3] > 21)


def test_impedance_rises_towards_500_khz():
    middle = [float(np.median(impedance(kind=FLAT, frequency_hz=np.array([f])))) for f in (100e3, 200e3, 350e3, 500e3)]
    assert np.all(np.diff(middle) > 0)
    assert middle[-1] > 3 * middle[0]
    assert np.percentile(impedance(kind=FLAT, frequency_hz=np.array([500e3])), 99) < 60


def test_states_differ_only_where_something_behind_a_bridge_runs():
    y = admittance()
    differ = np.any(y[0] != y[1], axis=1)
    assert differ.mean() > 0.9
    heaters = alone("heater", **ranges(r_ohm=40))
    np.testing.assert_array_equal(*admittance(table=heaters))
    behind = alone("heater", circuit="rectifier", **ranges(r_ohm=40))
    y = admittance(frequency_hz=np.array([20e3]), table=behind)
    assert np.all(np.abs(y[1]) > 2 * np.abs(y[0]))


def test_evening_admits_more_than_night():
    low = np.array([10e3, 15e3, 20e3])
    for kind in (HOUSE, FLAT):
        night, evening = (np.abs(admittance(kind=kind, frequency_hz=low, hour=h)).mean() for h in (3.0, 19.5))
        assert evening > 1.05 * night
        night, evening = (admittance(kind=kind, hour=h).real.mean() for h in (3.0, 19.5))
        assert evening > night
    night, noon = (np.abs(admittance(kind=COMMERCIAL, frequency_hz=low, hour=h)).mean() for h in (3.0, 11.0))
    assert noon > 1.05 * night


def counted(**given):
    settings = {"keys": KEYS, "kind": HOUSE, "share": 1.0, "hour": 19.0, "draws": Draws(1)} | given
    keys = settings["keys"]
    kind, share = np.full(keys.size, settings["kind"], np.int8), np.full(keys.size, settings["share"])
    return devices(keys, keys, kind, share, settings["draws"], hour=settings["hour"], table=appliance_table())


def fingerprints(drawn, running=False):
    """Parts of the devices of each circuit, as sets."""
    some = drawn.running if running else np.ones(drawn.running.size, bool)
    return [
        {one.tobytes() for one, keep in zip(drawn.part[a:b], some[a:b], strict=True) if keep}
        for a, b in zip(drawn.start[:-1], drawn.start[1:], strict=True)
    ]


def test_a_larger_share_keeps_the_devices_of_a_smaller_one():
    third, whole = fingerprints(counted(share=1 / 3)), fingerprints(counted(share=1.0))
    assert all(few <= many for few, many in zip(third, whole, strict=True))
    assert sum(map(len, third)) < 0.6 * sum(map(len, whole))


def test_a_busier_hour_keeps_what_runs_at_a_quiet_one():
    one = {"media": dict(zip(CUSTOMER_CLASSES, [2] * 7, strict=True))}
    table = appliance_table({"builtin_appliances": False, "appliances": one})
    kind, share = np.zeros(KEYS.size, np.int8), np.ones(KEYS.size)
    quiet, busy = (devices(KEYS, KEYS, kind, share, Draws(1), hour=h, table=table) for h in (4.0, 20.0))
    np.testing.assert_array_equal(quiet.part, busy.part)
    assert np.all(busy.running >= quiet.running)
    assert busy.running.sum() > 2 * quiet.running.sum()


def test_counts_have_the_mean_of_the_table_and_three_phase_devices_stand_on_every_circuit():
    keys = mix(np.arange(20_000, dtype=np.uint64))
    counts = dict.fromkeys(CUSTOMER_CLASSES, 1.5)
    for phases, mean in ((1, 0.5), (3, 1.5)):
        row = {"like": "media", "phases": phases, "most": 3} | counts
        table = appliance_table({"builtin_appliances": False, "appliances": {"set": row}})
        kind, share = np.zeros(keys.size, np.int8), np.full(keys.size, 1 / 3)
        drawn = devices(keys, keys, kind, share, Draws(2), hour=3, table=table)
        assert np.diff(drawn.start).mean() == pytest.approx(mean, rel=0.03)
        assert np.diff(drawn.start).max() == 3


def three_circuits(keys, table, hour=19.0):
    """Devices on the three circuits of each customer, and how many of them there are and run, (n, 3) each."""
    customer = np.repeat(keys, 3)
    circuit = mix(customer ^ np.tile(np.arange(1, 4, dtype=np.uint64), keys.size))
    kind, share = np.zeros(customer.size, np.int8), np.full(customer.size, 1 / 3)
    drawn = devices(circuit, customer, kind, share, Draws(4), hour=hour, table=table)
    runs = np.add.reduceat(np.append(drawn.running, False), drawn.start[:-1]) * (np.diff(drawn.start) > 0)
    return drawn, np.diff(drawn.start).reshape(-1, 3), runs.reshape(-1, 3)


@pytest.mark.parametrize(("name", "hour"), [("water_heater", 3.0), ("heat_pump", 8.0), ("ev_charger", 20.0)])
def test_a_three_phase_appliance_stands_on_all_circuits_of_its_customer_or_on_none(name, hour):
    keys, plain = mix(np.arange(20_000, dtype=np.uint64)), appliance_table()
    row = plain.names.index(name)
    counts = dict.fromkeys(CUSTOMER_CLASSES, 0.6)
    own = {"builtin_appliances": False, "appliances": {name: {"like": name} | counts}}
    table = appliance_table(own)
    drawn, there, runs = three_circuits(keys, table, hour)
    np.testing.assert_array_equal(there, there[:, :1].repeat(3, axis=1))
    np.testing.assert_array_equal(runs, runs[:, :1].repeat(3, axis=1))
    running = 0.6 * plain.running_at(hour)[row]
    assert runs[:, 0].mean() == pytest.approx(running, rel=0.05)
    assert there[:, 0].mean() == pytest.approx(0.6 if plain.connected[row] else running, rel=0.05)
    # with the same parts on each
    first = [drawn.part[np.repeat(np.tile(np.arange(3) == p, keys.size), np.diff(drawn.start))] for p in range(3)]
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(first[0], first[2])
    assert np.unique(first[0][:, 0]).size > 0.9 * len(first[0])


def test_single_phase_appliances_are_drawn_circuit_by_circuit():
    keys = mix(np.arange(20_000, dtype=np.uint64))
    row = {"like": "media", "most": 1} | dict.fromkeys(CUSTOMER_CLASSES, 0.9)
    drawn, there, _ = three_circuits(keys, appliance_table({"builtin_appliances": False, "appliances": {"set": row}}))
    share = np.bincount(there.sum(1), minlength=4) / keys.size
    np.testing.assert_allclose(share, binom.pmf(np.arange(4), 3, 0.3), atol=0.01)
    assert np.unique(drawn.part[:, 0]).size == len(drawn.part)


def test_the_circuits_of_a_meter_carry_the_key_of_their_customer():
    paths = feeder(4, phases=3, keys=mix(np.arange(5, dtype=np.uint64)))
    paths = dataclasses.replace(paths, meter_phases=np.array([1, 3, 1, 3], np.int8))
    settings, draws = technology("g3_plc").channel(Scenario()), Draws(1)
    what = survey(paths)
    area = plan(paths, what, np.array([0]), settings.frequency_hz)
    found = circuits(paths, area, drawn_phases(paths, what.branch, settings, draws))
    keys = paths.node_key[:4]
    assert sorted(found.customer.tolist()) == sorted(np.repeat(keys, [1, 3, 1, 3]).tolist())
    assert np.unique(found.key).size == 8
    single = found.share == 1
    np.testing.assert_array_equal(found.key[single], found.customer[single])
    hob = {"like": "water_heater", "hours": "always", "on_ratio": 1} | dict.fromkeys(CUSTOMER_CLASSES, 0.5)
    table = appliance_table({"builtin_appliances": False, "appliances": {"hob": hob}})
    loads = dataclasses.replace(settings, appliances=table)
    phases, owners = np.arange(3), 0
    for replication in range(30):
        what_phases = drawn_phases(paths, what.branch, loads, Draws(1, replication))
        shunt = shunts(paths, area, what_phases, loads, Draws(1, replication))
        at = area.place[area.member == 1][0]
        heavy = shunt[0, at, phases, 0].real > 0.02
        assert heavy.all() or not heavy.any()
        owners += heavy.all()
    assert 8 <= owners <= 22


def test_answers_hang_on_the_key_not_on_the_row_or_the_company():
    kind = (np.arange(KEYS.size) % 7).astype(np.int8)
    whole = admittance(kind=kind)
    np.testing.assert_array_equal(admittance(keys=KEYS[::-1], kind=kind[::-1]), whole[:, ::-1])
    np.testing.assert_array_equal(admittance(keys=KEYS[7:9], kind=kind[7:9]), whole[:, 7:9])
    np.testing.assert_array_equal(admittance(kind=kind, frequency_hz=BAND_HZ[5:6]), whole[:, :, 5:6])
    assert not np.allclose(admittance(kind=kind, draws=Draws(1, 1)), whole)


def test_chunks_do_not_show(monkeypatch):
    whole = admittance()
    monkeypatch.setattr("amiplan.channels.powerline.loads.CHUNK_CIRCUITS", 33)
    np.testing.assert_array_equal(admittance(), whole)


def test_factor_scales_every_impedance_and_the_median_house_is_ordinary():
    np.testing.assert_allclose(admittance(factor=4.0), admittance() / 4, rtol=1e-12)
    assert 1 < np.median(impedance(keys=KEYS[:1], draws=MedianDraws())) < 21


def test_hours_are_straight_between_whole_hours_and_midnight_closes():
    table = appliance_table()
    np.testing.assert_allclose(table.running_at(6.25), 0.75 * table.running[:, 6] + 0.25 * table.running[:, 7])
    np.testing.assert_allclose(table.running_at(23.5), (table.running[:, 23] + table.running[:, 0]) / 2)
    np.testing.assert_array_equal(table.running_at(24.0), table.running_at(0.0))


def test_no_circuit_is_no_trouble():
    none = np.zeros(0)
    y = house_admittance_s(
        none.astype(np.uint64),
        none.astype(np.uint64),
        none.astype(np.int8),
        none,
        BAND_HZ,
        Draws(1),
        hour=1,
        impedance_factor=1,
    )
    assert y.shape == (2, 0, BAND_HZ.size)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": 7}, "class 7"),
        ({"kind": -1}, "class -1"),
        ({"share": 0.0}, "appliances"),
        ({"share": 1.01}, "appliances"),
        ({"share": float("nan")}, "appliances"),
        ({"frequency_hz": np.array([8e3])}, "8000"),
        ({"frequency_hz": np.array([501e3])}, "9 to 500"),
        ({"factor": 0.0}, "load_impedance_factor"),
        ({"factor": float("inf")}, "load_impedance_factor"),
        ({"hour": 25.0}, "0 to 24"),
        ({"hour": float("nan")}, "0 to 24"),
    ],
)
def test_impossible_circuits_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        admittance(**change)


def test_users_change_rows_hours_and_installations():
    plain = appliance_table()
    given = {
        "appliances": {"media": {"house": 4.0}, "aquarium": {"like": "motor", "house": 1}},
        "hours": {"siesta": [0.0] * 23 + [1.0]},
        "installations": {"flat": {"riser_uh_high": 20.0}},
    }
    table = appliance_table(given)
    media = plain.names.index("media")
    assert table.mean_count[media, HOUSE] == 4
    assert table.names == (*plain.names, "aquarium")
    assert table.installation_high[FLAT, 1] == pytest.approx(20e-6)
    assert appliance_table() is plain
    assert plain.mean_count[media, HOUSE] != 4
    # one case leaves no trace in the next
    np.testing.assert_array_equal(appliance_table({"hours": given["hours"]}).installation_high, plain.installation_high)
    silent = appliance_table({"appliances": {"media": {"hours": "siesta"}}, "hours": given["hours"]})
    assert silent.running_at(12.0)[media] == 0


@pytest.mark.parametrize("part", ["riser_ohm", "riser_uh", "wiring_uf", "wiring_ohm"])
@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize("kind", range(7), ids=CUSTOMER_CLASSES)
def test_every_number_of_an_installation_counts_for_its_class_alone(kind, end, part):
    plain, row = appliance_table(), list(INSTALLATION_PARTS).index(part)
    limits = {"low": plain.installation_low[kind, row], "high": plain.installation_high[kind, row]}
    value = limits[end] / INSTALLATION_PARTS[part]
    table = appliance_table({"installations": {CUSTOMER_CLASSES[kind]: {f"{part}_{end}": value * 0.9}}})
    classes = (np.arange(70) % 7).astype(np.int8)
    before, after = (admittance(keys=KEYS[:70], kind=classes, table=one) for one in (plain, table))
    assert np.all(np.any(before != after, axis=(0, 2)) == (classes == kind))


@pytest.mark.parametrize("profile", rows_of("load_hours.csv"))
def test_every_hour_of_a_profile_counts_then_and_for_its_appliances(profile):
    rows, plain = rows_of("appliances.csv").values(), appliance_table().running
    using = np.array([row["hours"] == profile for row in rows])
    assert using.any()
    course = [float(share) for share in rows_of("load_hours.csv")[profile].values()]
    for hour in range(24):
        other = [*course[:hour], 0.0 if course[hour] > 0.3 else 1.0, *course[hour + 1 :]]
        moved = appliance_table({"hours": {profile: other}}).running != plain
        assert moved[using, hour].all()
        assert moved.sum() == using.sum()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"aplliances": {}}, "did you mean 'appliances'"),
        ({"appliances": {"media": {"huose": 1}}}, "did you mean 'house'"),
        ({"appliances": {"media": {"house": 7}}}, "house = 7: give 0 to 6"),
        ({"appliances": {"media": {"house": -1}}}, "give 0 to"),
        ({"appliances": {"media": {"house": "many"}}}, "a number is needed"),
        ({"appliances": {"media": {"house": True}}}, "a number is needed"),
        ({"appliances": {"media": {"idle": 1}}}, "a text in quotes"),
        ({"appliances": {"media": {"idle": "conected"}}}, "did you mean 'connected'"),
        ({"appliances": {"media": {"circuit": "bridge"}}}, "known are steady, rectifier"),
        ({"appliances": {"media": {"hours": "evenings"}}}, "did you mean 'evening'"),
        ({"appliances": {"media": {"on_ratio": 1.5}}}, "on_ratio = 1.5"),
        ({"appliances": {"media": {"most": 2.5}}}, "whole number"),
        ({"appliances": {"media": {"phases": 2}}}, "give 1 or 3"),
        ({"appliances": {"media": {"r_ohm_low": 50}}}, "0 < low <= high"),
        ({"appliances": {"media": {"r_ohm_high": float("inf")}}}, "0 < low <= high"),
        ({"appliances": {"media": {"x_uf_low": 0}}}, "0 to 0 for none"),
        ({"appliances": {"media": {"feed_ohm_low": 0, "feed_ohm_high": 0}}}, "without loss"),
        ({"appliances": {"media": {"x_ohm_low": 0, "x_ohm_high": 0}}}, "without loss"),
        ({"appliances": {"media": ranges(r_ohm=0)}}, "has no r_ohm"),
        ({"appliances": {"media": ranges(x_uf=0, x_ohm=0)}}, "has no x_uf"),
        ({"appliances": {"fish_tank": {"house": 1}}}, "new and has no phases"),
        ({"appliances": {"fish_tank": {"like": "medla"}}}, "did you mean 'media'"),
        ({"hours": {"noon": [1, 2]}}, "24 numbers"),
        ({"hours": {"noon": [2.0] * 24}}, "give 0 to 1"),
        ({"hours": {"noon": ["x"] * 24}}, "number"),
        ({"installations": {"castle": {}}}, "unknown"),
        ({"installations": {"house": {"riser_ohm": 1}}}, "did you mean"),
        ({"installations": {"house": ranges(wiring_uf=0)}}, "part of 0"),
        ({"builtin_appliances": False}, "no appliance"),
        ({"builtin_appliances": "no"}, "true or false"),
        ({"appliances": {"media": 3}}, "table"),
        ({"appliances": 3}, "table"),
    ],
)
def test_impossible_tables_are_refused(extra, words):
    with pytest.raises(ValueError, match=words):
        appliance_table(extra)
