"""From what one meter says to everything that must be said: the legs of all exchanges of one period."""

from __future__ import annotations

import numpy as np

from ..channels.technology import Exchanges
from ..meters.services import Legs, ServiceSettings, exchange_legs
from .service import ServiceLevel


def exchanges_of(n_meters: int, policy: str, level: ServiceLevel, settings: ServiceSettings) -> Exchanges:
    """All legs of one period for ``n_meters`` equal meters under one exchange policy.

    Parameters
    ----------
    n_meters
        Meters, at least 0.
    policy
        ``"pull"`` or ``"push"``.

    Returns
    -------
    Exchanges, sorted by service, then meter, then leg.
    """
    legs = [exchange_legs(service, policy, settings) for service in level.services]
    blocks = [_service_columns(number, one, n_meters) for number, one in enumerate(legs)]
    columns = {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}
    columns["exchange"] = columns.pop("exchange") + n_meters * columns["service"].astype(np.int64)
    return Exchanges(**columns, services=tuple(level.services), window_s=tuple(level.window_s for _ in level.services))


def _service_columns(number: int, legs: Legs, n_meters: int) -> dict[str, np.ndarray]:
    n_legs = legs.bytes.size
    meter = np.repeat(np.arange(n_meters, dtype=np.int32), n_legs)
    return {
        "exchange": meter.astype(np.int64),
        "leg": np.tile(np.arange(n_legs, dtype=np.int16), n_meters),
        "meter": meter,
        "service": np.full(meter.size, number, np.int16),
        "direction": np.tile(legs.direction.astype(np.int8), n_meters),
        "bytes": np.tile(legs.bytes.astype(np.int32), n_meters),
        "depends_on": np.tile(legs.depends_on.astype(np.int16), n_meters),
        "not_before_s": np.zeros(meter.size),
        "timeout_s": np.tile(legs.timeout_s.astype(np.float64), n_meters),
        "tries": np.tile(legs.tries.astype(np.int8), n_meters),
    }
