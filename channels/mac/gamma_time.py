"""How long an exchange takes, as a gamma distribution of its mean and variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincinv

Array = NDArray[Any]

_LEAST_SPREAD = 0.01
"""Least standard deviation over mean: no exchange is more regular than its clock ticks."""


@dataclass(frozen=True)
class GammaTime:
    """Durations; columns (n,): ``shape`` [1] and ``scale_s`` [s]."""

    shape: Array
    scale_s: Array

    @classmethod
    def of(cls, mean_s: Array, variance_s2: Array) -> GammaTime:
        """From mean [s], positive, and variance [s^2]; the spread is at least a hundredth of the mean."""
        variance_s2 = np.maximum(variance_s2, (_LEAST_SPREAD * mean_s) ** 2)
        return cls(mean_s**2 / variance_s2, variance_s2 / mean_s)

    def within(self, left_s: Array) -> Array:
        """Probability of ending within ``left_s`` [s], (n,); 0 where nothing is left."""
        return np.asarray(gammainc(self.shape, np.maximum(left_s, 0.0) / self.scale_s))

    def moments_within(self, left_s: Array) -> tuple[Array, Array]:
        """Mean [s] and variance [s^2] of the durations within ``left_s`` [s], (n,); ``left_s`` and 0 if none."""
        bound = np.maximum(left_s, 0.0) / self.scale_s
        inside = gammainc(self.shape, bound)
        some = np.where(inside > 1e-300, inside, 1.0)
        mean_s = self.shape * self.scale_s * gammainc(self.shape + 1.0, bound) / some
        square_s2 = self.shape * (self.shape + 1.0) * self.scale_s**2 * gammainc(self.shape + 2.0, bound) / some
        known = inside > 1e-300
        return np.where(known, mean_s, left_s), np.where(known, np.maximum(square_s2 - mean_s**2, 0.0), 0.0)

    def quantile_s(self, share: float) -> Array:
        """Duration not exceeded in that share of cases [s], (n,)."""
        return np.asarray(gammaincinv(self.shape, share) * self.scale_s)
