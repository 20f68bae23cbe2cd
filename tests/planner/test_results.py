"""Unserved meters of one technology: with cellular modules and their adapter, or without."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from amiplan.planner import results
from amiplan.planner.catalogue import default_catalogue
from amiplan.planner.cost import cash_flows, summary
from amiplan.planner.economics import Economics
from amiplan.planner.quantities import NetworkQuantities, SiteGroup
from amiplan.planner.remedies import CELLULAR, MANUAL

N = 1500


def tco(remedy: str, n_unserved: int) -> float:
    """Of a power line whose unserved meters all get one remedy."""
    site = SiteGroup("transformer", "own", "cellular", 14)
    quantities = NetworkQuantities("g3_plc", N, N - n_unserved, {remedy: n_unserved}, (site,))
    flows = cash_flows(quantities, default_catalogue(), Economics())
    return float(summary(flows, quantities, Economics())["tco"])


@pytest.mark.parametrize(("n_unserved", "cheaper"), [(2, MANUAL), (200, CELLULAR)])
def test_modules_pay_where_enough_of_them_share_the_adapter(
    monkeypatch: pytest.MonkeyPatch, n_unserved: int, cheaper: str
) -> None:
    asked: list[bool] = []

    def priced(one: Any, cellular: Any, *_: Any) -> Any:
        asked.append(bool(cellular.any()))
        remedy = CELLULAR if cellular.any() else MANUAL
        return SimpleNamespace(remedies=np.array([[remedy]]), totals={"tco": tco(remedy, n_unserved)})

    monkeypatch.setattr(results, "_priced", priced)
    monkeypatch.setattr(results, "_result", lambda _, chosen, *__: (chosen, chosen.totals))
    carried: Any = None
    chosen, totals = results.result_of(carried, np.ones(1, bool), None, carried, carried, carried)
    assert asked == [True, False]
    assert chosen.remedies[0, 0] == cheaper  # type: ignore[attr-defined]
    assert totals["tco"] == min(tco(CELLULAR, n_unserved), tco(MANUAL, n_unserved))
    # an operator's network brings nothing where it serves nobody that is left: one price is enough
    asked.clear()
    results.result_of(carried, np.zeros(1, bool), None, carried, carried, carried)
    assert asked == [False]
