"""What a plan costs over its life: every cash flow by year and category, and the few totals that compare plans.

Year 0 is commissioning, when all capex falls; yearly bills belong to years 1 to the horizon. A bill of year ``t``
has the price of the beginning of that year (escalated ``t-1`` times), a purchase in year ``t`` that of year ``t``.
Unserved meters are priced by their remedy, never dropped: every total is at equal service and divided by all meters.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .catalogue import CATEGORY_LABELS, CONFIDENCES, Catalogue, CatalogueItem, default_catalogue
from .cost_rules import INSTALLED_ITEMS
from .economics import Economics
from .finance import (
    discount_factor,
    equivalent_annual_cost_per_meter,
    gross_up,
    renewal_years,
    sunset_probability,
    weibull_renewals,
)
from .quantities import Line, NetworkQuantities, quantity_lines

__all__ = ["CASH_FLOW_COLUMNS", "KINDS", "Economics", "cash_flows", "category_totals", "summary"]

Array = NDArray[Any]

KINDS = ("capex", "opex", "renewal", "residual")
CASH_FLOW_COLUMNS = (
    "year",
    "category",
    "category_label",
    "item_id",
    "kind",
    "quantity",
    "unit",
    "unit_price",
    "amount",
    "present_value",
    "currency",
)
METER_CATEGORY, SUPPLEMENTARY_CATEGORY, RENEWAL_CATEGORY = 1, 24, 18
HARDWARE_CATEGORIES = (1, 2, 3, 4, 5, 8, 9)
"""Catalogue categories whose rows keep a value at the horizon; labour, works and set-up have none."""

_SHARE_CATEGORIES = (15, 25)
_Flow = tuple[int, int, str, str, float, str, float]
"""year, category, item_id, kind, quantity, unit, unit price"""


def cash_flows(quantities: NetworkQuantities, catalogue: Catalogue, economics: Economics) -> pd.DataFrame:
    """Every cash flow of one plan, one row each, sorted by year, category and item.

    Parameters
    ----------
    catalogue : the default or the user's catalogue; ``economics.overrides`` are laid over it here.

    Returns
    -------
    DataFrame with ``CASH_FLOW_COLUMNS``: ``amount = quantity * unit_price`` in undiscounted money of the price year,
    residual values negative; ``present_value`` discounted to year 0.

    Raises ValueError for a missing catalogue row, mixed currencies without a rate, impossible overrides or choices.
    """
    effective = economics.effective(catalogue)
    lines = quantity_lines(quantities, effective, economics)
    if not economics.include_meter:
        lines = [line for line in lines if line.category != METER_CATEGORY]
    flows: list[_Flow] = []
    for line in lines:
        flows += _line_flows(line, economics)
    flows += _renewal_flows(lines, economics)
    flows += _failure_flows(lines, quantities, effective, economics)
    flows += _sunset_flows(quantities, effective, economics)
    flows += _battery_flows(quantities, effective, economics)
    flows += _share_flows(flows, effective, economics)
    return _table(flows, economics)


def category_totals(flows: pd.DataFrame) -> pd.DataFrame:
    """Present value by category, ``category, category_label, present_value``; together the total cost."""
    keys = ["category", "category_label"]
    return flows.groupby(keys, sort=True, as_index=False).agg(present_value=("present_value", math.fsum))


def summary(
    flows: pd.DataFrame, quantities: NetworkQuantities, economics: Economics, catalogue: Catalogue | None = None
) -> dict[str, Any]:
    """The totals that compare plans at equal service.

    Returns
    -------
    ``capex, opex_present_value, renewals_present_value, residual_present_value`` (negative), ``tco`` their sum,
    ``eac_per_meter`` per year over all meters in, ``n_meters, n_served, served_ratio, currency`` and the shares
    ``evidence_a, evidence_b, evidence_c, evidence_user`` of the sum of absolute present values, by the confidence
    of the catalogue row. ``catalogue`` defaults to the product's own.
    """
    by_kind = {kind: _total(flows.loc[flows["kind"] == kind, "present_value"]) for kind in KINDS}
    tco = _total(category_totals(flows)["present_value"])
    rate, horizon = economics.real_discount_rate, economics.horizon_years
    return {
        "capex": by_kind["capex"],
        "opex_present_value": by_kind["opex"],
        "renewals_present_value": by_kind["renewal"],
        "residual_present_value": by_kind["residual"],
        "tco": tco,
        "eac_per_meter": equivalent_annual_cost_per_meter(tco, quantities.n_meters_in, rate, horizon),
        "n_meters": quantities.n_meters_in,
        "n_served": quantities.n_served,
        "served_ratio": quantities.n_served / quantities.n_meters_in,
        "currency": economics.currency,
        **_evidence(flows, economics.effective(catalogue or default_catalogue())),
    }


def _line_flows(line: Line, economics: Economics) -> list[_Flow]:
    years = range(1, economics.horizon_years + 1) if line.yearly else (0,)
    kind = "opex" if line.yearly else "capex"
    return [
        _flow(year, line.category, line.item, kind, line.quantity, economics.unit_price(line.item, max(year - 1, 0)))
        for year in years
    ]


def _renewal_flows(lines: list[Line], economics: Economics) -> list[_Flow]:
    """Renewals at the end of each life, with a visit unless the meter is exchanged in the same year; residuals."""
    bought = [line for line in lines if not line.yearly and line.item.life_years is not None]
    exchanges = {
        year for line in bought if line.category == METER_CATEGORY for year in _purchase_years(line.item, economics)
    }
    flows: list[_Flow] = []
    for line in bought:
        for year in _purchase_years(line.item, economics):
            price = economics.unit_price(line.item, year)
            flows.append(_flow(year, RENEWAL_CATEGORY, line.item, "renewal", line.quantity, price))
            at_meter = line.item.unit == "meter" and line.category != METER_CATEGORY
            if line.visit is not None and not (at_meter and year in exchanges):
                cost = economics.unit_price(line.visit, year)
                flows.append(_flow(year, RENEWAL_CATEGORY, line.visit, "renewal", line.quantity, cost))
        flows += _residual_flows(line, economics)
    return flows


def _residual_flows(line: Line, economics: Economics) -> list[_Flow]:
    item, horizon = line.item, economics.horizon_years
    if item.life_years is None or item.category not in HARDWARE_CATEGORIES or item.item_id in INSTALLED_ITEMS:
        return []
    last = (_purchase_years(item, economics) or [0])[-1]
    left = max(item.life_years - (horizon - last), 0.0) / item.life_years
    worth = -left * economics.unit_price(item, last)
    return [_flow(horizon, line.category, item, "residual", line.quantity, worth)] if worth else []


def _failure_flows(
    lines: list[Line], quantities: NetworkQuantities, catalogue: Catalogue, economics: Economics
) -> list[_Flow]:
    """Hardware that fails and is replaced at once after the warranty; the visits are lines of their own."""
    meter_rate = economics.point_value(catalogue.item("fail_module"))
    device_rate = economics.point_value(catalogue.item("fail_field_device"))
    rates = {
        "meter_1ph": meter_rate,
        "meter_3ph": meter_rate,
        "module": meter_rate,
        "supplementary_module": meter_rate,
        "field_device": device_rate,
        "relay": device_rate,
    }
    flows: list[_Flow] = []
    for line in lines:
        for year in range(economics.warranty_years + 1, economics.horizon_years + 1):
            if line.role in rates and not line.yearly:
                price = economics.unit_price(line.item, year - 1)
                flows.append(_flow(year, 17, line.item, "opex", line.quantity * rates[line.role], price))
    return flows


def _sunset_flows(quantities: NetworkQuantities, catalogue: Catalogue, economics: Economics) -> list[_Flow]:
    """Expected cost of a forced migration: probability of the switch-off in each year times one migration."""
    flows: list[_Flow] = []
    supplementary = economics.supplementary_technology
    fleets = (
        (quantities.technology, quantities.n_meters_equipped),
        (supplementary, quantities.remedies.get("cellular_module", 0)),
    )
    for technology, n_meters in fleets:
        hazard = catalogue.find(19, technology, "share_yr")
        if hazard is None or n_meters == 0:
            continue
        migration = catalogue.require(19, technology, "meter")
        chance = sunset_probability(economics.point_value(hazard), economics.horizon_years)
        for year, probability in enumerate(chance, start=1):
            price = economics.unit_price(migration, year)
            flows.append(_flow(year, 19, migration, "renewal", n_meters * float(probability), price))
    return flows


def _battery_flows(quantities: NetworkQuantities, catalogue: Catalogue, economics: Economics) -> list[_Flow]:
    if quantities.n_battery_meters == 0:
        return []
    item = catalogue.require(18, quantities.technology, "meter")
    swaps = weibull_renewals(economics.battery_shape, economics.battery_scale_years, economics.horizon_years)
    return [
        _flow(year, 18, item, "renewal", quantities.n_battery_meters * float(share), economics.unit_price(item, year))
        for year, share in enumerate(swaps, start=1)
    ]


def _share_flows(flows: list[_Flow], catalogue: Catalogue, economics: Economics) -> list[_Flow]:
    """Project management and contingency on the capex; then integration as its share of the whole."""
    direct = math.fsum(flow[4] * flow[6] for flow in flows if flow[3] == "capex" and flow[1] not in _SHARE_CATEGORIES)
    management, contingency, integration = (
        economics.point_value(catalogue.item(name)) for name in ("pm_share", "contingency", "integration_share")
    )
    everything_else = direct * (1.0 + management + contingency)
    return [
        _flow(0, 15, catalogue.item("integration_share"), "capex", everything_else, gross_up(integration)),
        _flow(0, 25, catalogue.item("pm_share"), "capex", direct, management),
        _flow(0, 25, catalogue.item("contingency"), "capex", direct, contingency),
    ]


def _purchase_years(item: CatalogueItem, economics: Economics) -> list[int]:
    """Whole years before the horizon in which the item is bought again."""
    times = renewal_years(item.life_years or math.inf, economics.horizon_years) if item.life_years else ()
    return [math.ceil(time - 1e-9) for time in times if math.ceil(time - 1e-9) < economics.horizon_years]


def _flow(year: int, category: int, item: CatalogueItem, kind: str, quantity: float, price: float) -> _Flow:
    return year, category, item.item_id, kind, float(quantity), item.unit, float(price)


def _table(flows: list[_Flow], economics: Economics) -> pd.DataFrame:
    columns = ["year", "category", "item_id", "kind", "quantity", "unit", "unit_price"]
    table = pd.DataFrame(flows, columns=columns)
    table["kind"] = pd.Categorical(table["kind"], KINDS, ordered=True)
    keys = ["year", "category", "item_id", "kind", "unit", "unit_price"]
    table = table.groupby(keys, observed=True, sort=True, as_index=False).agg(quantity=("quantity", math.fsum))
    table["kind"] = table["kind"].astype(str)
    table["category_label"] = table["category"].map(CATEGORY_LABELS)
    table["amount"] = table["quantity"] * table["unit_price"]
    table["present_value"] = table["amount"] * _discount(table, economics)
    table["currency"] = economics.currency
    return table[list(CASH_FLOW_COLUMNS)]


def _discount(table: pd.DataFrame, economics: Economics) -> Array:
    rate, years = economics.real_discount_rate, range(economics.horizon_years + 1)
    at_end = np.array([discount_factor(rate, year) for year in years])
    bills = np.array([discount_factor(rate, year, economics.timing) for year in years])
    year = table["year"].to_numpy()
    return np.asarray(np.where(table["kind"].to_numpy() == "opex", bills[year], at_end[year]))


def _evidence(flows: pd.DataFrame, catalogue: Catalogue) -> dict[str, float]:
    confidence = flows["item_id"].map({item.item_id: item.confidence for item in catalogue})
    weight = flows["present_value"].abs()
    total = _total(weight)
    return {
        f"evidence_{grade.lower()}": _total(weight[confidence == grade]) / total if total else 0.0
        for grade in CONFIDENCES
    }


def _total(values: Iterable[float]) -> float:
    return math.fsum(values)
