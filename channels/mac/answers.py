"""Who waits for whom: the request behind each answer of an exchange that the head end opens."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..technology import UP, Exchanges
from .gamma_time import GammaTime

Array = NDArray[Any]


def request_of(exchanges: Exchanges, rows: Array) -> Array:
    """The request that each of the given legs answers.

    An exchange is asked for where its first leg runs down; in it, a leg upwards that depends on a leg downwards is an
    answer, and the head end gives up ``timeout_s`` of that leg after it began to send the request. A pushed exchange
    has no such leg.

    Parameters
    ----------
    exchanges : all legs.
    rows : (n_legs,) rising rows of ``exchanges``, whole exchanges.

    Returns
    -------
    (n_legs,) int64 place of the request within ``rows``, -1 where the leg is no answer.
    """
    place = np.arange(rows.size)
    if rows.size == 0:
        return place
    up, leg = exchanges.direction[rows] == UP, exchanges.leg[rows].astype(np.int64)
    before = exchanges.depends_on[rows].astype(np.int64)
    request = np.where(before >= 0, place - leg + before, 0)
    answers = ~up[place - leg] & up & (before >= 0) & ~up[request]
    return np.where(answers, request, -1)


def answered_in_time(mean_s: Array, variance_s2: Array, timeout_s: Array, request: Array) -> tuple[Array, Array, Array]:
    """What the patience of the asking side leaves of each leg.

    The time from the begin of the request to the end of the answer is taken as gamma distributed; an answer that comes
    after the timeout is lost, one that counts has come before it.

    Parameters
    ----------
    mean_s, variance_s2 : (n_legs,) duration of one start of each leg [s], positive, [s^2].
    timeout_s : (n_legs,) patience [s], positive.
    request : (n_legs,) from `request_of`.

    Returns
    -------
    Three (n_legs,) columns: probability that the answer is in time (1 where the leg is none), and mean and variance of
    the duration of those in time.
    """
    answer = np.flatnonzero(request >= 0)
    asked, patience_s = request[answer], timeout_s[answer]
    trip_s, trip_s2 = mean_s[answer] + mean_s[asked], variance_s2[answer] + variance_s2[asked]
    time = GammaTime.of(trip_s, trip_s2)
    ratio, mean, variance = np.ones(mean_s.size), np.array(mean_s), np.array(variance_s2)
    ratio[answer] = time.within(patience_s)
    kept_s, kept_s2 = time.moments_within(patience_s)
    mean[answer] = np.maximum(mean_s[answer] + kept_s - trip_s, 0.0)
    variance[answer] = np.maximum(variance_s2[answer] + kept_s2 - trip_s2, 0.0)
    return ratio, mean, variance
