"""What a meter sends unasked: the bodies of its notifications.

References
----------
IEC 62056-6-2:2021, push setup (class 40): a structure of the listed attributes, here the push object's name, the
device name and the data.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dlms import apdu, axdr, security
from .dlms.axdr import Value
from .dlms.obis import PUSH_PROFILE, PUSH_REGISTER
from .objects import CosemObject, ProfileGeneric

Array = NDArray[Any]


def register_body(title: bytes, now: Value, register: Value) -> Value:
    """Push object, clock, device name and register value, as one structure."""
    return axdr.structure(axdr.octets(PUSH_REGISTER.octets), now, axdr.octets(title), register)


def profile_bodies(profile: CosemObject, title: bytes, max_pdu_bytes: int, *, ciphered: bool) -> list[Value]:
    """All rows of a load profile in as few notifications as keep to the limit.

    Parameters
    ----------
    max_pdu_bytes
        Longest notification, general-glo ciphering included where ``ciphered``.

    Returns
    -------
    list of structures: push object, device name, array of rows; the first row of each carries its time. Raises
    ValueError where a single row exceeds the limit, or ``profile`` is no profile.
    """
    if not isinstance(profile, ProfileGeneric):
        raise ValueError("the load profile is not a profile object: put a ProfileGeneric under its name")
    n_rows = profile.time_s.size
    n_fit = _rows_that_fit(profile, title, max_pdu_bytes, ciphered) if n_rows else 1
    return [_profile_body(profile, title, np.arange(at, min(at + n_fit, n_rows))) for at in range(0, n_rows, n_fit)]


def _profile_body(profile: ProfileGeneric, title: bytes, rows: Array) -> Value:
    return axdr.structure(axdr.octets(PUSH_PROFILE.octets), axdr.octets(title), axdr.array(*profile.rows(rows)))


def _rows_that_fit(profile: ProfileGeneric, title: bytes, max_pdu_bytes: int, ciphered: bool) -> int:
    nothing = apdu.DataNotification(0, _profile_body(profile, title, np.arange(0)))
    empty = len(apdu.encode(nothing)) - 1
    first = len(axdr.encode(profile.rows(np.array([0]))[0]))
    following = [len(axdr.encode(row)) for row in profile.rows(np.arange(profile.time_s.size))[1:]]
    # A row that opens a notification is as long as the first; others are at most as long as the longest.
    longest = max(following, default=0)
    for n_rows in range(profile.time_s.size, 0, -1):
        n_plain = empty + len(axdr.encode_length(n_rows)) + first + (n_rows - 1) * longest
        if (security.sealed_bytes(n_plain, general=True) if ciphered else n_plain) <= max_pdu_bytes:
            return n_rows
    raise ValueError(f"max_pdu_bytes = {max_pdu_bytes} is too short for one row of the profile: raise it")
