"""Every parameter of PRIME moves some answer of one tier or the other."""

import dataclasses
from functools import cache

import numpy as np
import pytest
from amiplan.channels.mac.prime.forming import Forming
from amiplan.channels.powerline.prime_parameters import PrimeParameters
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
