"""Cost of a link as one LOADng node works it out from what it hears and from its neighbour table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .link_cost import CostWeights, directional_cost
from .loadng import Link

Array = NDArray[Any]

HIGHEST_LQI = 255


class LinkCosts:
    """Costs of all link qualities and modes, worked out once."""

    def __init__(
        self, weights: CostWeights, robust: Array, modulation: Array, tones: Array, add_reverse_cost: int = 0
    ) -> None:
        """Prepare the table.

        Parameters
        ----------
        weights : of the cost function
        robust : (n_modes,) bool, repeated modulation;  modulation : (n_modes,) points of the modulation
        tones : (n_modes,) share of active tones
        add_reverse_cost : added to the forward cost where nothing is known of the reverse direction
        """
        snr_db = np.arange(HIGHEST_LQI + 1) / 4 - 10
        self._cost: list[list[int]] = []
        for row in range(np.asarray(robust).size):
            ones = np.ones(snr_db.size)
            cost = directional_cost(snr_db, robust[row] * ones, modulation[row] * ones, tones[row] * ones, weights)
            self._cost.append([int(one) for one in cost])
        self._hop, self._weak, self._add = int(weights.hop), weights.lqi_weak, add_reverse_cost

    def link(self, lqi: int, mode: int, reverse_lqi: int | None, reverse_mode: int) -> Link:
        """Link over which a frame was heard.

        Parameters
        ----------
        lqi, mode
            LQI 0 to 255 of the frame, and best mode of that direction (-1, none better than the first, counts as 0).
        reverse_lqi, reverse_mode
            As the neighbour reported; None where it has not.

        Returns
        -------
        Link: the worse direction and the hop; weak where a known direction is below the threshold.

        References
        ----------
        ITU-T G.9903 composite metric: max of both directions + Kh, reverse = forward + adpAddRevLinkCost if unknown.
        """
        forward = self._cost[max(mode, 0)][min(lqi, HIGHEST_LQI)]
        if reverse_lqi is None:
            return Link(forward + self._add + self._hop, lqi < self._weak, lqi)
        back = self._cost[max(reverse_mode, 0)][min(reverse_lqi, HIGHEST_LQI)]
        return Link(max(forward, back) + self._hop, min(lqi, reverse_lqi) < self._weak, lqi)
