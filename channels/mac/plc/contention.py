"""Several senders that draw slots for one line: how often the first slot is shared, and how long they wait for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..g3.csma import CsmaSettings

Array = NDArray[Any]

_STEPS = 400


@dataclass(frozen=True)
class Contest:
    """Senders that always have something: ``shared`` first slots (0 to 1), mean first slot ``slots`` of one contest.

    window_shares : share of draws that the last winner, and anybody else, takes from each window
    """

    shared: float
    slots: float
    window_shares: tuple[dict[int, float], dict[int, float]]

    @property
    def until_won(self) -> float:
        """Mean contests until one sender alone has the first slot."""
        return 1 / (1 - self.shared)


@lru_cache(maxsize=256)
def contest(n: int, csma: CsmaSettings) -> Contest:
    """Contests of ``n`` senders that always have something to send, under the window law of G3-PLC.

    Who wins lowers its window, who loses or shares a slot doubles it, and after ``min_cw_attempts`` draws from the
    smallest window one is taken from the largest. So the winner tends to win again. Fixed point of two kinds of
    senders, the last winner and the others, each kind with windows of its own; windows of different senders are taken
    as independent.

    Parameters
    ----------
    n : senders, at least 1;  csma : constants of the window

    References
    ----------
    In the manner of G. Bianchi, IEEE J. Sel. Areas Commun. 18 (3), 2000, with the window law of `g3.csma`.

    >>> shares = contest(1, CsmaSettings()).window_shares[0]
    >>> {window: round(share, 3) for window, share in shares.items() if share > 0.001}
    {8: 0.714, 64: 0.071, 128: 0.071, 192: 0.071, 256: 0.071}
    """
    windows = _reachable(csma)
    place = {window: row for row, window in enumerate(windows)}
    lowered = np.array([place[csma.lowered(window)] for window in windows])
    doubled = np.array([place[min(2 * window, csma.largest)] for window in windows])
    slot = np.arange(1, csma.largest + 1)
    draws = np.array([np.where(slot <= window, 1 / window, 0.0) for window in windows])
    after = np.maximum(1 - np.cumsum(draws, axis=1), 0.0)
    winner = other = np.full(len(windows), 1 / len(windows))
    for _ in range(_STEPS):
        later = other @ after
        rest = later ** max(_contenders(n) - 2, 0)
        wins = draws @ (rest * later if n > 1 else rest)
        taken = draws @ ((winner @ after) * rest) if n > 1 else np.zeros(wins.size)
        loses = (n - 1) * after @ ((other @ draws) * rest) if n > 1 else np.zeros(wins.size)
        stays, comes = winner * wins, (n - 1) * other * taken
        next_winner = _moved(stays + comes, lowered) + _moved(winner * np.maximum(1 - wins - loses, 0.0), doubled)
        turn = (stays[0] + comes[0]) / csma.min_cw_attempts
        next_winner[0] -= turn
        next_winner[-1] += turn
        fallen = winner * loses / max(float((winner * loses).sum()), 1e-300)
        next_other = _moved(other * (1 - taken) + float((other * taken).sum()) * fallen, doubled)
        winner = 0.5 * (winner + next_winner / next_winner.sum())
        other = 0.5 * (other + next_other / next_other.sum())
    at_least = (winner @ (after + draws)) * (other @ (after + draws)) ** (n - 1)
    won = float((winner * wins).sum() + (n - 1) * (other * taken).sum())
    shares = tuple(dict(zip(windows, map(float, one), strict=True)) for one in (winner, other))
    return Contest(max(1 - won, 0.0), float(at_least.sum()), (shares[0], shares[1]))


def _moved(share: Array, to: Array) -> Array:
    """Shares of the windows that those of each window change to."""
    return np.bincount(to, share, share.size)


def _reachable(csma: CsmaSettings) -> list[int]:
    """Windows that the law can reach, rising."""
    found, waiting = set[int](), [csma.smallest, csma.largest]
    while waiting:
        window = waiting.pop()
        if window not in found:
            found.add(window)
            waiting += [csma.lowered(window), min(2 * window, csma.largest)]
    return sorted(found)


def _contenders(n: int) -> int:
    if n < 1:
        raise ValueError(f"{n} senders do not contend; give at least 1")
    return n
