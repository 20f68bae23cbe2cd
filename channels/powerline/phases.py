"""Which phase everybody sits on, and what it costs to cross from one to another.

Stand-in for a coupled three-phase solution: the three phases are solved as three uncoupled circuits, each with the
houses that hang on it, and a link between phases pays the extra loss below, once for all carriers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws

Array = NDArray[Any]

ALL_PHASES = -1
"""Phase of a node that couples to all three."""

# Cross-phase minus same-phase level against same-phase attenuation, computed for this project with modal (Clarke)
# propagation over a 16-node feeder with unbalanced houses: middle of the bin [dB], mean [dB], sigma [dB].
CROSS_PHASE = np.array(
    [
        [5.0,  -28.0, 10.0],
        [12.5, -16.5,  7.0],
        [17.5, -12.0,  6.6],
        [25.0,  -8.7,  7.5],
        [37.5,  -5.4,  9.0],
        [52.5,  -3.0, 10.6],
    ]
)  # fmt: skip
LARGEST_ATTENUATION_DB = 60.0


def phase_of(node_key: Array, n_phases: Array, draws: Draws) -> Array:
    """Phase 0, 1 or 2 of single-phase nodes, drawn per replication; ``ALL_PHASES`` for three-phase nodes.

    Parameters
    ----------
    node_key : (n_nodes,) uint64;  n_phases : (n_nodes,) 1 or 3

    Raises ValueError naming the row where the number of phases is neither.
    """
    phases = np.asarray(n_phases)
    if np.any(bad := (phases != 1) & (phases != 3)):
        raise ValueError(f"node {int(np.argmax(bad))} has {phases[np.argmax(bad)]} phases; give 1 or 3")
    drawn = (draws.uniform("mains phase", node_key) * 3).astype(np.int8)
    return np.where(phases == 3, np.int8(ALL_PHASES), drawn)


def cross_phase_loss_db(attenuation_db: Array, normal: Array) -> Array:
    """Extra loss of a link between two phases; negative where the other phase happens to hear better.

    Parameters
    ----------
    attenuation_db : (n,)
        Same-phase attenuation from the source voltage, mean over the carriers [dB]; tabulated below 60 dB, beyond
        that the last row is kept.
    normal : (n,)
        Standard normal number of the pair.

    Returns
    -------
    (n,) [dB], interpolated between the middles of the bins.
    """
    middle, mean_db, sigma_db = CROSS_PHASE.T
    attenuation = np.asarray(attenuation_db)
    return np.asarray(-np.interp(attenuation, middle, mean_db) - np.interp(attenuation, middle, sigma_db) * normal)
