"""One meter with a short history, for the tests of this folder."""

import numpy as np
from amiplan.meters import clock
from amiplan.meters.device.catalogue import objects_of
from amiplan.meters.device.history import History
from amiplan.meters.device.meter import Device
from amiplan.meters.settings import ServiceSettings

FIRST_DAY, N_DAYS = 3, 3
HISTORY = History.of_load(77, "farm", seed=5, first_day=FIRST_DAY, n_days=N_DAYS)
END_S = int(HISTORY.time_s[-1])
START_S = int(HISTORY.time_s[0])


def a_meter(now_s=END_S, history=HISTORY, **settings):
    """Device at a moment; ``device.at`` moves it on."""
    moment = [now_s]
    device = Device(b"AMP\x01\x02\x03\x04\x05", 77, history, ServiceSettings(**settings), lambda: moment[0])

    def move(to_s):
        moment[0] = to_s

    return device, objects_of(device), move


def flat_history(gained, n_channels=4, start_s=None):
    """Intervals of 15 minutes in which every channel gains the same."""
    steps = np.concatenate([[0], np.cumsum(gained)]).astype(np.uint32)
    first = clock.day_start_s(0) if start_s is None else start_s
    time_s = first + 900 * np.arange(steps.size, dtype=np.int64)
    return History.given(time_s, np.repeat(steps[:, None], n_channels, axis=1))
