"""The half cycle of the mains, cut into bins: which rectifiers conduct when, and how phases lie to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

CREST = 0.5
"""Where the voltage of the first phase peaks, in half cycles after its zero crossing."""


@dataclass(frozen=True, eq=False)
class MainsStates:
    """The states that the loads of a network run through in one half cycle.

    state_of_bin : (n_bins,) int64 row of ``conducting``
    conducting : (n_states, n_phases) bool
        Whether rectifiers between that phase and neutral conduct; all rows differ and each occurs.
    """

    state_of_bin: Array
    conducting: Array


def phase_shift(n_phases: int) -> Array:
    """Delay of each phase behind the first, in half cycles.

    Parameters
    ----------
    n_phases
        1 or 3. Voltages 120 degrees apart peak, sign apart, every third of a half cycle; phases are numbered in the
        order of these peaks (the second peak of L1-L2-L3 is the negative one of L3).

    Returns
    -------
    (n_phases,) 0, or 0, 1/3 and 2/3. Raises ValueError for another number of phases.

    >>> [round(float(shift), 3) for shift in phase_shift(3)]
    [0.0, 0.333, 0.667]
    """
    if n_phases not in (1, 3):
        raise ValueError(f"a network has {n_phases} phases; give 1 or 3")
    return np.arange(n_phases) / n_phases


def mains_states(n_bins: int, conduction_share: float, n_phases: int) -> MainsStates:
    """Which phases' rectifiers conduct in each bin of the half cycle.

    Parameters
    ----------
    n_bins
        Equal parts of the half cycle, at least 2; the first begins at the zero crossing of the first phase.
    conduction_share
        Share of the half cycle during which a bridge with a bulk capacitor draws current, around the crest of its own
        phase; 0.3 is usual without power factor correction (confidence C). It is rounded to whole bins, the nearest
        to the crest, the earlier of two equally near.
    n_phases
        1 or 3.

    Returns
    -------
    MainsStates: 2 states on one phase; on three phases 4 where the windows do not touch a common bin.
    Raises ValueError where the window is rounded to no bin or to all of them.

    References
    ----------
    Conduction around the crest: any text on the capacitor-input rectifier.

    >>> mains_states(8, 0.3, 1).state_of_bin.tolist()
    [0, 0, 0, 1, 1, 0, 0, 0]
    """
    if n_bins < 2:
        raise ValueError(f"the half cycle cannot be cut into {n_bins} bins; give at least 2")
    n_conducting = round(conduction_share * n_bins) if 0 < conduction_share < 1 else 0
    if not 0 < n_conducting < n_bins:
        raise ValueError(
            f"conduction_share {conduction_share} is none or all of {n_bins} bins; give a share between, such as 0.3"
        )
    middle = (np.arange(n_bins) + 0.5) / n_bins
    crest = CREST + phase_shift(n_phases)
    away = np.abs((middle[:, None] - crest + 0.5) % 1.0 - 0.5)
    rank = np.argsort(np.argsort(np.round(away, 9), axis=0, kind="stable"), axis=0)
    conducting, state_of_bin = np.unique(rank < n_conducting, axis=0, return_inverse=True)
    return MainsStates(np.asarray(state_of_bin).ravel().astype(np.int64), conducting)
