from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
from amiplan.channels.technology import Outcome, Reason
from amiplan.planner.replicate import within_equipment


def parts(margins: list[float], server: list[int]) -> tuple[Outcome, Any, Any, Any]:
    n = len(margins)
    p = np.full((2, n), 0.99)
    outcome = Outcome(p, p * 10, p * 20, p, np.zeros((2, n), np.int8))
    routes = SimpleNamespace(server=np.array(server), link=np.arange(n))
    quality = SimpleNamespace(margin_up_db=np.array(margins), margin_down_db=np.array(margins) + 1.0)
    return outcome, routes, SimpleNamespace(node_key=np.arange(n, dtype=np.uint64)), quality


def test_the_best_margins_keep_their_place() -> None:
    outcome, routes, paths, quality = parts([5.0, 9.0, 1.0, 7.0], [0, 0, 0, 1])
    after = within_equipment(outcome, routes, paths, quality, 2)
    assert (after.p_arrive > 0).tolist() == [[True, True, False, True]] * 2
    assert after.reason[:, 2].tolist() == [Reason.CAPACITY] * 2
    assert np.isinf(after.latency_p50_s[0, 2])
    assert outcome.p_arrive.min() > 0


def test_equal_margins_are_told_apart_by_key() -> None:
    outcome, routes, paths, quality = parts([5.0, 5.0, 5.0], [0, 0, 0])
    paths.node_key = np.array([3, 1, 2], np.uint64)
    after = within_equipment(outcome, routes, paths, quality, 1)
    assert (after.p_arrive[0] > 0).tolist() == [False, True, False]


def test_a_generous_limit_changes_nothing() -> None:
    outcome, routes, paths, quality = parts([5.0, 5.0], [0, -1])
    assert within_equipment(outcome, routes, paths, quality, 1) is outcome
