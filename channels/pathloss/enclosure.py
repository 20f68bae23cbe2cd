"""What the place of the meter costs: box, wall, basement, cabinet or pit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..draws import Draws
from ..paths import Enclosure
from .guards import coded, ratio
from .p2109 import building_entry_loss_db

Array = NDArray[Any]

PURPOSE = "enclosure loss"
"""Name of the draw behind ``uniform``, so that every radio technology sees the same walls."""

FACADE_BOX_DB = (3.0, 6.0)
BASEMENT_EXTRA_DB = (10.0, 15.0)
STEEL_CABINET_DB = (10.0, 20.0)
PIT_DB = (20.0, 35.0)
"""Ranges that utilities use, lowest to highest; no standard stands behind them (confidence C)."""


def enclosure_loss_db(
    enclosure_code: ArrayLike,
    uniform: ArrayLike,
    *,
    frequency_hz: float,
    building_class: str = "traditional",
    facade_box_db: tuple[float, float] = FACADE_BOX_DB,
    basement_extra_db: tuple[float, float] = BASEMENT_EXTRA_DB,
    steel_cabinet_db: tuple[float, float] = STEEL_CABINET_DB,
    pit_db: tuple[float, float] = PIT_DB,
) -> Array:
    """Loss between the outside and the antenna of each meter.

    Parameters
    ----------
    enclosure_code : (n,) integer
        ``Enclosure`` codes.
    uniform : (n,)
        One draw in (0, 1) per meter and replication: where in its distribution the meter lies.
    frequency_hz : carrier [Hz], positive.
    building_class : class of `p2109.building_entry_loss_db`.
    facade_box_db, basement_extra_db, steel_cabinet_db, pit_db
        Lowest and highest loss [dB], taken as uniform (confidence C); the basement comes on top of building entry.

    Returns
    -------
    (n,) loss [dB], at least 0. Raises ValueError for an unknown code, a draw outside (0, 1), or a range that is
    negative or upside down.

    References
    ----------
    Indoor: Recommendation ITU-R P.2109-1 at the drawn probability. Others: practice of utilities, confidence C.

    >>> round(float(enclosure_loss_db(2, 0.5, frequency_hz=868e6)), 1)
    14.2
    """
    code = coded("enclosure_code", enclosure_code, len(Enclosure))
    u = ratio("uniform", uniform)
    code, u = np.broadcast_arrays(code, u)
    inside = (code == Enclosure.INDOOR) | (code == Enclosure.BASEMENT)
    loss_db = np.zeros(code.shape)
    loss_db[inside] = building_entry_loss_db(u[inside], frequency_hz=frequency_hz, building_class=building_class)
    ranges = {
        Enclosure.FACADE_BOX: facade_box_db,
        Enclosure.BASEMENT: basement_extra_db,
        Enclosure.STEEL_CABINET: steel_cabinet_db,
        Enclosure.PIT: pit_db,
    }
    for kind, (low, high) in ranges.items():
        if not 0.0 <= low <= high:
            raise ValueError(f"loss range of {kind.name.lower()} must run upwards from 0: ({low}, {high})")
        loss_db += np.where(code == kind, low + u * (high - low), 0.0)
    return np.asarray(np.maximum(loss_db, 0.0))


def node_enclosure_loss_db(
    node_enclosure: Array,
    node_key: Array,
    draws: Draws,
    *,
    frequency_hz: float,
    building_class: str = "traditional",
    offset_db: float = 0.0,
    basement_extra_db: tuple[float, float] = BASEMENT_EXTRA_DB,
) -> Array:
    """Loss of every node between its antenna and the outside in one replication: one wall for all technologies.

    Each node has one draw, named ``PURPOSE`` and keyed by the node alone, so that a meter which is badly built in for
    one radio technology is as badly built in for all others.

    Parameters
    ----------
    node_enclosure : (n_nodes,) ``Enclosure`` codes.
    node_key : (n_nodes,) uint64 stable keys.
    draws : draws of this replication.
    frequency_hz, building_class, basement_extra_db : as in `enclosure_loss_db`.
    offset_db : added wherever there is an enclosure [dB], of either sign; what is left stays at least 0.

    Returns
    -------
    (n_nodes,) loss [dB], at least 0, and 0 where nothing encloses the node. Raises ValueError as `enclosure_loss_db`.

    References
    ----------
    As `enclosure_loss_db`.
    """
    loss_db = enclosure_loss_db(
        node_enclosure,
        draws.uniform(PURPOSE, node_key),
        frequency_hz=frequency_hz,
        building_class=building_class,
        basement_extra_db=basement_extra_db,
    )
    return with_offset_db(loss_db, node_enclosure, offset_db)


def with_offset_db(loss_db: Array, node_enclosure: Array, offset_db: float) -> Array:
    """``loss_db`` moved by an offset where the node is enclosed, never below 0; shape (n_nodes,)."""
    enclosed = np.asarray(node_enclosure) != Enclosure.NONE
    return np.asarray(np.where(enclosed, np.maximum(loss_db + offset_db, 0.0), 0.0))
