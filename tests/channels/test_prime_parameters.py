"""Every parameter of PRIME moves some answer of one tier or the other."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from amiplan.channels.draws import Draws
from amiplan.channels.mac.prime.forming import Forming
from amiplan.channels.parameters import parameters_of
from amiplan.channels.powerline.prime_parameters import PrimeParameters
from amiplan.channels.scenario import Scenario
from amiplan.channels.technologies.prime import Prime
from amiplan.studies.settings import UserError, fill
from feeders import feeder
from prime_cells import falling_quality, readings, streets
from prime_packet import prime_cell, settings

GOOD, HEARS, IS_HEARD = (30.0, 30.0), (-3.0, 30.0), (30.0, -3.0)
FORMING = dict.fromkeys([(0, 5), (1, 0), (2, 1)], GOOD) | {(3, 5): HEARS} | dict.fromkeys([(4, 0), (4, 1)], IS_HEARD)
"""A chain of three; meter 3 hears the concentrator (node 5) and is not heard; meter 4 is heard and hears nobody."""


@cache
def formed(version, **changes):
    """What a network counts and who is registered, once a minute while it forms, loses a switch and heals."""
    mac = settings(version, alive_code=0, **changes)
    env, cell = prime_cell(5, FORMING, mac, mode=mac.table[0].name, cold=True)
    seen = []
    for minute in range(1, 61):
        env.run(60.0 * minute)
        if minute == 20:
            cell.fail(1)
        if minute == 40:
            cell.restore(1)
        seen += [*cell.counters.values(), *cell.joined_s.values(), len(cell.places.slots)]
    return np.nan_to_num(np.array(seen, float), nan=-1.0)


ONE_VERSION = {"slowest_request_s": "1.3.6", "hop_wait_s": "1.4"}


@pytest.mark.parametrize("name", [item.name for item in dataclasses.fields(Forming)])
def test_every_timer_of_forming_acts(name):
    value = getattr(PrimeParameters(), name)
    other = 10 * value
    for version in ("1.3.6", "1.4"):
        same = np.array_equal(formed(version), formed(version, **{name: other}))
        assert same == (ONE_VERSION.get(name, version) != version)


OWN = [
    name for name in PrimeParameters.__annotations__ if name not in {item.name for item in dataclasses.fields(Forming)}
]
OTHER = {
    "version": "1.3.6", "first_channel": 3, "legacy_share": 0.5, "frame_code": 0, "beacon_slots": 3, "csma_r1": 1,
    "csma_delay_s": 3e-3, "sense_count": 4, "arq_window": 4, "arq_tries": 1, "arq_timeout_s": 10.0, "sar_bytes": 64,
    "security_bytes": 20, "control_tries": 1, "control_timeout_s": 60.0, "alive_tries": 1, "alive_hop_tries": 0,
    "robustness_s": 3600.0, "max_level": 1, "max_switches": 2, "site_meters": 10, "robust_beacon_slots": 6,
    "csma_r2": 5, "max_attempts": 2, "alive_code": 1,
}  # fmt: skip
ON_THE_LINE = {"version", "first_channel", "double_channel", "legacy_share"}
IN_OLD_CELLS = {"beacon_slots"}
WHILE_FORMING = {"max_attempts", "control_tries", "control_timeout_s", "alive_tries"}
"""What a standing tree does not ask of the fast tier."""


def read(tech):
    """All columns of a day in the fast tier: trees, reading over two more hours, and trees after links got worse."""
    paths, rng = streets(40), np.random.default_rng(4)
    quality = falling_quality(tech, paths, 20.0, rng=rng, spread_db=3.0)
    worse = falling_quality(tech, paths, 18.0, rng=rng, spread_db=3.0)
    stands = np.ones(1, bool)
    routes = tech.routes(paths, quality, stands)
    later = tech.routes(paths, worse, stands, before=routes)
    exchanges = readings(40, n_bytes=900, window_s=3600.0, services=2)
    outcome = tech.carry(exchanges, routes, paths, quality, Scenario(), Draws(2, 1))
    parts = (routes, later, outcome, tech.load(exchanges, paths, quality))
    columns = [getattr(part, item.name) for part in parts for item in dataclasses.fields(part)]
    return laid([*columns, tech.legacy(paths, Draws(2, 1))])


def heard(tech):
    """All columns of the links of a short feeder."""
    quality = tech.assess(feeder(4), Scenario(), Draws(2, 1))
    return laid([getattr(quality, item.name) for item in dataclasses.fields(quality)])


def laid(columns):
    """Columns end to end."""
    return np.concatenate([np.ravel(np.nan_to_num(np.asarray(column, float))) for column in columns])


def answers(name, **changes):
    """What this parameter is there for: links, the reading of a standing network, or how one forms."""
    version = changes.pop("version", "1.3.6" if name in IN_OLD_CELLS else "1.4")
    if name in WHILE_FORMING:
        return formed(version, **changes)
    if name in ON_THE_LINE:
        return heard(Prime(version=version, allow_band="a test", **changes))
    return read(Prime(version=version, **changes))


@pytest.mark.parametrize("name", OWN)
def test_every_other_parameter_acts(name):
    value = getattr(PrimeParameters(), name)
    other = not value if isinstance(value, bool) else OTHER[name]
    assert other != value
    before, after = answers(name), answers(name, **{name: other})
    assert before.shape != after.shape or not np.array_equal(before, after)


NUMBERS = [
    row for row in parameters_of(PrimeParameters()) if row["name"] in OWN and not isinstance(row["value"], bool | str)
]


@pytest.mark.parametrize("end", ["minimum", "maximum"])
@pytest.mark.parametrize("row", NUMBERS, ids=[row["name"] for row in NUMBERS])
def test_a_number_out_of_its_range_is_refused_in_one_line(row, end):
    assert row["minimum"] <= row["default"] <= row["maximum"]
    beyond = type(row["default"])(row[end] + (1 if end == "maximum" else -1))
    with pytest.raises(UserError, match=f"^case {row['name']} = {beyond}.*: allowed is from ") as refused:
        fill(Prime, {row["name"]: beyond}, "case")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("culprit", "changes"),
    [
        ("1.5", {"version": "1.5"}),
        ("legacy_share", {"version": "1.3.6", "legacy_share": 0.2}),
        ("double_channel", {"version": "1.3.6", "double_channel": True}),
        ("first_channel", {"version": "1.3.6", "first_channel": 2}),
        ("channel", {"first_channel": 8, "double_channel": True, "allow_band": "a test"}),
        ("sar_bytes", {"sar_bytes": 100}),
    ],
)
def test_what_contradicts_itself_is_refused_in_one_line(culprit, changes):
    with pytest.raises(ValueError, match=culprit) as refused:
        Prime(**changes)
    assert "\n" not in str(refused.value)
