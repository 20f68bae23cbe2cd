"""Many simulated meters that answer on demand: who asks a meter first lets it, and its neighbours, come to life.

Ten thousand meters start in seconds, since a meter costs nothing until somebody sends it something.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import clock
from .commission import CLIENT_TITLE, secrets_of
from .device.catalogue import Device
from .device.history import History, of_loads
from .device.names import SAP_ASSIGNMENT
from .device.ports import METER_SAP, PHYSICAL_ADDRESS, HdlcPort, LogicalDevice, WrapperPort
from .device.rights import Role
from .device.server import MeterServer
from .dlms.obis import ASSOCIATION, CLOCK, LOGICAL_DEVICE_NAME
from .identity import derived, identities_of, keys_of, title_of
from .load import interval_channels, kind_codes
from .serving import Port
from .settings import ServiceSettings

Array = NDArray[Any]

FIRST_SAP = 17
"""Server SAP, and logical HDLC address, of a shared port's first meter; the others follow."""
MOST_ON_ONE_PORT = {"wrapper": 2**16 - FIRST_SAP, "hdlc": 0x3FFC - FIRST_SAP}
MOST_TOGETHER, LEAST_TOGETHER = 256, 16
"""Meters whose registers are computed together: fewer where many days have to be summed, lest the first answer wait."""
DAYS_BEFORE = 7
"""Days of load profile before the clock's start, as far as the first day of the simulation allows."""


@dataclass(frozen=True)
class Clock:
    """The meters' common time: ``start_s`` when made, running ``pace`` seconds per second; 0 stands still."""

    start_s: float
    pace: float = 1.0
    made_s: float = field(default_factory=time.monotonic)

    def now_s(self) -> float:
        """Seconds since 1970 UTC."""
        return self.start_s + self.pace * (time.monotonic() - self.made_s)


class Rack:
    """Meters by row, commissioned when first asked for.

    Parameters
    ----------
    keys : (n,) uint64 stable keys;  kinds : (n,) names of `load.KIND_NAMES`
    settings
        How the meters are read; the association must be opened by the client, so ``fresh`` is what fits.
    seed
        Of the study: registers, titles and keys follow from it.
    first_counter
        Where the meters' invocation counters begin, as for `MeterServer`.
    shared
        All meters behind one port, told apart by server SAP or logical HDLC address.

    Raises ValueError for an unknown kind, and for more meters than a shared port has addresses.
    """

    def __init__(
        self,
        keys: Array,
        kinds: Array,
        settings: ServiceSettings,
        *,
        seed: int,
        clock: Clock,
        shared: bool = False,
        first_counter: int = 1,
    ) -> None:
        most = MOST_ON_ONE_PORT[settings.framing]
        if shared and keys.size > most:
            raise ValueError(f"{keys.size} meters behind one {settings.framing} port: it addresses {most} at most")
        self.keys, self.kinds, self.settings = keys, kind_codes(kinds), settings
        self.seed, self.clock, self.shared, self.first_counter = seed, clock, shared, first_counter
        self._n_intervals = _at_least_hourly(settings.n_intervals)
        self._first_day = max(0, _day_of(clock.start_s) - DAYS_BEFORE)
        self._batch = max(LEAST_TOGETHER, MOST_TOGETHER * DAYS_BEFORE // max(_day_of(clock.start_s), DAYS_BEFORE))
        self._servers: dict[int, MeterServer] = {}
        self._batches: dict[int, list[History]] = {}

    @property
    def n_meters(self) -> int:
        """How many there are, asked for or not."""
        return int(self.keys.size)

    def opener(self, row: int | None) -> Callable[[], Port]:
        """What opens a port for each connection: to the meter in ``row``, or to all where None."""
        settings = self.settings
        resolve = self.by_sap if row is None else lambda sap: self.server(row) if sap == METER_SAP else None
        if settings.framing == "hdlc":
            return lambda: HdlcPort(resolve, settings.hdlc_max_info_bytes, settings.hdlc_window)
        return lambda: WrapperPort(resolve)

    def by_sap(self, sap: int) -> LogicalDevice | None:
        """The meter behind a server SAP of the shared port; None where there is none."""
        if sap == METER_SAP:
            return self._management
        row = sap - FIRST_SAP
        return self.server(row) if 0 <= row < self.n_meters else None

    @cached_property
    def _management(self) -> RackDevice:
        return RackDevice(self)

    def server(self, row: int) -> MeterServer:
        """The meter in ``row``, its history reaching to the present."""
        server = self._servers.get(row)
        if server is None:
            server = self._servers[row] = self._commissioned(row)
        elif self.clock.now_s() >= server.device.history.time_s[-1]:
            server.device.history = self._history(row)
        return server

    def told(self, row: int) -> dict[str, Any]:
        """How a head end reaches and reads the meter in ``row``: addresses, title, keys and password as hex."""
        settings, key = self.settings, int(self.keys[row])
        keys, secrets = keys_of(key, self.seed, settings.suite), secrets_of(key, settings, self.seed)
        return {
            "framing": settings.framing,
            "security": "hls5" if settings.ciphered else settings.security,
            "security_suite": settings.suite,
            "server_sap": row + FIRST_SAP if self.shared else METER_SAP,
            "client_saps": {role.name.lower(): role.sap for role in Role},
            "hdlc_server_address_bytes": settings.hdlc_server_address_bytes,
            "hdlc_physical_address": PHYSICAL_ADDRESS if settings.hdlc_server_address_bytes > 1 else 0,
            "system_title": title_of(key, self.seed).hex(),
            "client_system_title": CLIENT_TITLE.hex(),
            "block_cipher_key": keys.encryption.hex(),
            "authentication_key": keys.authentication.hex(),
            "master_key": secrets.master_key.hex(),
            "password": secrets.password.hex(),
        }

    def _commissioned(self, row: int) -> MeterServer:
        key = int(self.keys[row])
        device = Device(title_of(key, self.seed), key, self._history(row), self.settings, self.clock.now_s, self.seed)
        secrets = secrets_of(key, self.settings, self.seed)
        return MeterServer(device, secrets, self.settings, first_counter=self.first_counter)

    def _history(self, row: int) -> History:
        """The meter's window to the end of the running day, computed with its neighbours."""
        batch, within = divmod(row, self._batch)
        rows = slice(batch * self._batch, (batch + 1) * self._batch)
        found = self._batches.get(batch)
        if found is None:
            n_days = _day_of(self.clock.now_s()) + 1 - self._first_day
            found = of_loads(self.keys[rows], self.kinds[rows], self.seed, self._first_day, n_days, self._n_intervals)
        while self.clock.now_s() >= found[0].time_s[-1]:
            found = self._with_next_day(found, rows)
        self._batches[batch] = found
        return found[within]

    def _with_next_day(self, found: list[History], rows: slice) -> list[History]:
        end_s, period_s = int(found[0].time_s[-1]), found[0].period_s
        gained = interval_channels(self.keys[rows], self.kinds[rows], _day_of(end_s), self._n_intervals, self.seed)
        totals = np.cumsum(gained, axis=1, dtype=np.uint32)
        ends_s = end_s + period_s * np.arange(1, self._n_intervals + 1, dtype=np.int64)
        time_s = np.concatenate([found[0].time_s, ends_s])
        return [
            History(time_s, np.concatenate([one.registers, one.registers[-1] + more]), period_s)
            for one, more in zip(found, totals, strict=True)
        ]


class RackDevice:
    """The management device of a shared port: tells the public client which meter has which server SAP, no more."""

    def __init__(self, rack: Rack) -> None:
        key = int.from_bytes(derived(rack.seed, 0, "rack", 8))
        still = History.given(np.array([0, clock.DAY_S]), np.zeros((2, 1), np.uint32))
        settings = replace(rack.settings, security="none", profile_interval_min=1440)
        device = Device(title_of(key, rack.seed), key, still, settings, rack.clock.now_s, rack.seed)
        titles = identities_of(rack.keys, rack.seed).titles.tobytes()
        device.state.logical_devices = [
            (METER_SAP, device.name),
            *((row + FIRST_SAP, _name(titles[8 * row : 8 * row + 8])) for row in range(rack.n_meters)),
        ]
        self._server = MeterServer(device, secrets_of(key, settings, rack.seed), settings)
        objects = self._server.objects
        known = {(1, LOGICAL_DEVICE_NAME), (8, CLOCK), (15, ASSOCIATION), (17, SAP_ASSIGNMENT)}
        for name in set(objects) - known:
            del objects[name]

    def responses(self, client_sap: int, request: bytes, at_once: int = 1) -> list[bytes]:
        """As of a meter; silence to all but the public client."""
        return self._server.responses(client_sap, request, at_once) if client_sap == Role.PUBLIC.sap else []

    def closed(self, client_sap: int) -> None:
        """The line to a client is gone."""
        self._server.closed(client_sap)

    def n_opened(self, client_sap: int) -> int:
        """How often this client has opened an association."""
        return self._server.n_opened(client_sap)


def _name(title: bytes) -> bytes:
    """Logical device name as `Device.name` makes it of its title."""
    return title[:3] + title[3:].hex().upper().encode("ascii")


def _at_least_hourly(n_intervals: int) -> int:
    """Intervals a day of the history behind a profile: the load model has 24 at least."""
    return n_intervals * -(-24 // n_intervals)


def _day_of(time_s: float) -> int:
    return int((time_s - clock.day_start_s(0)) // clock.DAY_S)
