"""What the place of the meter costs: box, wall, basement, cabinet or pit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..draws import Draws
from ..paths import Enclosure
from ..scenario import WallSettings
from .guards import coded, ratio
from .p2109 import building_entry_loss_db

Array = NDArray[Any]

PURPOSE = "enclosure loss"
"""Name of the draw behind ``uniform``, so that every radio technology sees the same walls."""

_TYPICAL_WALLS = WallSettings()


def enclosure_loss_db(
    enclosure_code: ArrayLike,
    uniform: ArrayLike,
    *,
    frequency_hz: float,
    building_class: str = "traditional",
    walls: WallSettings = _TYPICAL_WALLS,
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
    walls : lowest and highest loss of each kind [dB], taken as uniform; the basement comes on top of building entry.

    Returns
    -------
    (n,) loss [dB], at least 0. Raises ValueError for an unknown code or a draw outside (0, 1).

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
        Enclosure.FACADE_BOX: (walls.facade_box_low_db, walls.facade_box_high_db),
        Enclosure.BASEMENT: (walls.basement_low_db, walls.basement_high_db),
        Enclosure.STEEL_CABINET: (walls.steel_cabinet_low_db, walls.steel_cabinet_high_db),
        Enclosure.PIT: (walls.pit_low_db, walls.pit_high_db),
    }
    for kind, (low, high) in ranges.items():
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
    walls: WallSettings = _TYPICAL_WALLS,
) -> Array:
    """Loss of every node between its antenna and the outside in one replication: one wall for all technologies.

    Each node has one draw, named ``PURPOSE`` and keyed by the node alone, so that a meter which is badly built in for
    one radio technology is as badly built in for all others.

    Parameters
    ----------
    node_enclosure : (n_nodes,) ``Enclosure`` codes.
    node_key : (n_nodes,) uint64 stable keys.
    draws : draws of this replication.
    frequency_hz, building_class, walls : as in `enclosure_loss_db`.
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
        walls=walls,
    )
    return with_offset_db(loss_db, node_enclosure, offset_db)


def with_offset_db(loss_db: Array, node_enclosure: Array, offset_db: float) -> Array:
    """``loss_db`` moved by an offset where the node is enclosed, never below 0; shape (n_nodes,)."""
    enclosed = np.asarray(node_enclosure) != Enclosure.NONE
    return np.asarray(np.where(enclosed, np.maximum(loss_db + offset_db, 0.0), 0.0))
