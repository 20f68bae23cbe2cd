"""How long the notifications are by which whole fleets push their day profiles."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .device.answers import largest_plain_bytes
from .device.names import PUSHES
from .dlms import apdu, axdr
from .dlms.security import TITLE_BYTES, sealed_bytes
from .fleet_data import chunks, pushed_parts, readings_of
from .settings import ServiceSettings

Array = NDArray[Any]


def notification_bytes(
    keys: Array, kind: Array, day: int, settings: ServiceSettings, seed: int = 0
) -> tuple[Array, Array]:
    """Lengths of the APDUs that meters of the load model push for one day profile, ciphered where set.

    Parameters
    ----------
    keys : (n,) uint64 stable keys;  kind : (n,) names or codes of `load.KIND_NAMES`;  others as `readings_of`

    Returns
    -------
    (n_notifications,) int64 lengths, meter after meter [B], and (n,) int64 notifications of each meter. Raises
    ValueError where a single row does not fit ``max_pdu_bytes``.
    """
    around = _around_bytes()
    longest = settings.max_pdu_bytes
    if settings.ciphered:
        longest = largest_plain_bytes(longest, True, settings.protection_bits)
    parts, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for rows in chunks(len(keys)):
        readings = readings_of(keys[rows], kind[rows], day, settings, seed)
        of_chunk, count = pushed_parts(readings, settings, longest - around)
        parts.append(of_chunk + around)
        counts.append(count)
    return _sealed(np.concatenate(parts), settings), np.concatenate(counts)


def _sealed(plain: Array, settings: ServiceSettings) -> Array:
    """A push goes by general ciphering, which names the sender."""
    if not settings.ciphered:
        return plain
    known, row = np.unique(plain, return_inverse=True)
    bits = settings.protection_bits
    sealed = [sealed_bytes(int(one), general=True, protection=bits) for one in known]
    return np.array(sealed, np.int64)[row]


def _around_bytes() -> int:
    """Bytes of a notification around its array of rows: head, push object, system title."""
    body = axdr.structure(axdr.octets(PUSHES["profile"].octets), axdr.octets(bytes(TITLE_BYTES)), axdr.array())
    return len(apdu.encode(apdu.DataNotification(0, body))) - len(axdr.encode(axdr.array()))
