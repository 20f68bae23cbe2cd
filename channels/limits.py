"""Which reason a radio link gives when it fails: the hill, the wall, or a budget that is short anyway."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .technology import Reason

Array = NDArray[Any]


def link_limit(margin_db: Array, terrain_db: Array, wall_db: Array, *, comfort_db: float = 0.0) -> Array:
    """What would have to go for each link to hold (or, where it holds barely, to hold well).

    Parameters
    ----------
    margin_db : (n_links,)
        Margin of the weaker direction, hills and walls included [dB]; -inf for no link.
    terrain_db, wall_db : (n_links,)
        What hills and the enclosures of both ends cost [dB], at least 0.
    comfort_db
        Margin at which a link holds well [dB], at least 0.

    Returns
    -------
    (n_links,) int8 ``Reason``: TERRAIN where the link would hold without the hill and the hill costs more than the
    walls, else BUILDING where it would hold without the walls, else TERRAIN where it would without both, else BUDGET.

    >>> import numpy as np
    >>> link_limit(np.array([-5.0, -5.0, -5.0]), np.array([9.0, 1.0, 1.0]), np.array([2.0, 6.0, 2.0])).tolist()
    [2, 3, 1]
    """
    short_db = np.where(margin_db < 0.0, -margin_db, np.maximum(comfort_db - margin_db, 0.0))
    hill = (terrain_db > 0.0) & (terrain_db >= short_db) & (terrain_db >= wall_db)
    wall = (wall_db > 0.0) & (wall_db >= short_db)
    both = (terrain_db > 0.0) & (terrain_db + wall_db >= short_db)
    reasons = [int(Reason.TERRAIN), int(Reason.BUILDING), int(Reason.TERRAIN)]
    return np.select([hill, wall, both], reasons, int(Reason.BUDGET)).astype(np.int8)
