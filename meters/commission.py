"""A simulated meter and the head end that shares its keys, ready to talk."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import clock
from .client import HeadEnd
from .device.history import History
from .device.meter import Device
from .device.server import MeterServer
from .device.session import RoleSecrets
from .dlms.security import Channel
from .identity import derived, keys_of, title_of
from .settings import ServiceSettings

Array = NDArray[Any]

CLIENT_TITLE = b"AMPHEAD0"
"""System title of the simulated head end."""
PASSWORD_BYTES = 8


def commission(
    key: int,
    register_wh: Array,
    profile_wh: Array,
    day: int,
    settings: ServiceSettings,
    *,
    seed: int = 0,
    start_wh: Array | None = None,
) -> tuple[MeterServer, HeadEnd]:
    """A meter with its readings, and the head end that shares its keys. The meter's clock stands at the end of the day.

    Parameters
    ----------
    key
        Stable key of the meter; with ``seed`` it makes title and keys, for simulation only.
    register_wh : (n_channels,) uint32
        Registers as they stand now: import, export [Wh], reactive import, export [varh]; the last row of the profile.
    profile_wh : (n_intervals, n_channels) uint32
        Registers at the end of each interval of ``day``, at least ``profile_channels`` columns.
    start_wh : (n_channels,) uint32
        Registers when the day began; where None, the first interval has gained nothing.

    Returns
    -------
    MeterServer and HeadEnd. Raises ValueError where shapes do not fit the settings or each other.
    """
    history = _history(register_wh, profile_wh, start_wh, day, settings)
    end_s = float(clock.day_start_s(day + 1))
    secrets = secrets_of(key, settings, seed)
    device = Device(title_of(key, seed), key, history, settings, lambda: end_s, seed)
    server = MeterServer(device, secrets, settings)
    return server, head_end_of(device.title, secrets, settings, day)


def secrets_of(key: int, settings: ServiceSettings, seed: int = 0) -> RoleSecrets:
    """What a meter and its head end share, made from the stable key and the seed, for simulation only."""
    keys = keys_of(key, seed, settings.suite) if settings.ciphered else None
    password = derived(seed, key, "password", PASSWORD_BYTES // 2).hex().encode()
    return RoleSecrets(keys, CLIENT_TITLE, password, derived(seed, key, "master"))


def head_end_of(title: bytes, secrets: RoleSecrets, settings: ServiceSettings, day: int) -> HeadEnd:
    """The head end of the meter with this system title."""
    channel = None
    if settings.ciphered and secrets.keys is not None:
        channel = Channel(secrets.keys, secrets.client_title, title, protection=settings.protection_bits)
    return HeadEnd(channel, settings, day, secrets.password)


def _history(
    register_wh: Array, profile_wh: Array, start_wh: Array | None, day: int, settings: ServiceSettings
) -> History:
    n_rows, n_channels = settings.n_intervals, settings.profile_channels
    now, profile = np.asarray(register_wh), np.asarray(profile_wh)
    if profile.ndim != 2 or len(profile) != n_rows or profile.shape[1] < n_channels or now.size < n_channels:
        raise ValueError(f"profile {profile.shape}, registers {now.shape}: ({n_rows}, {n_channels}) are needed")
    start = profile[0] if start_wh is None else np.asarray(start_wh)
    if {profile.dtype, now.dtype, start.dtype} != {np.dtype(np.uint32)}:
        raise ValueError(f"readings are {profile.dtype}, {now.dtype} and {start.dtype}: pass uint32 Wh")
    width = min(now.size, start.size, profile.shape[1])
    if not np.array_equal(now[:width], profile[-1, :width]):
        raise ValueError("registers differ from the last row of the profile: give both as they stand at its end")
    time_s = np.concatenate([[clock.day_start_s(day)], clock.interval_end_s(day, n_rows)])
    return History.given(time_s, np.concatenate([start[None, :width], profile[:, :width]]))
