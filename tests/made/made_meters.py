"""A simulated meter with its head end, for tests: readings of one farm, 3 January 2026."""

from dataclasses import replace

import numpy as np
from amiplan.meters import load
from amiplan.meters.commission import commission
from amiplan.meters.dlms import wrapper
from amiplan.meters.settings import ServiceSettings

DAY = 2
_KEY, _KIND = np.array([77], np.uint64), np.array(["farm"])
START = load.registers(_KEY, _KIND, DAY, seed=5)[0]
PROFILE = load.profile(_KEY, _KIND, DAY, seed=5)[0]


def meter(settings=None, key=77, **changes):
    settings = replace(settings or ServiceSettings(), **changes)
    return commission(key, PROFILE[-1], PROFILE, DAY, settings, start_wh=START)


def drive(session, network):
    """A service over ``network(request) -> response or None``."""
    request = next(session)
    while True:
        try:
            request = session.send(network(request))
        except StopIteration as done:
            return done.value


def opened(server, head_end, role):
    """The head end's conversation with a role, its association open."""
    conversation = head_end._conversation(role)
    drive(conversation.open(), line_of(server))
    return conversation


def line_of(server):
    return lambda request: server.line().receive(request) or None


def wrapped(sap, apdu):
    return wrapper.pack(sap, 1, apdu)
