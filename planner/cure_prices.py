"""What one change costs, and what a meter costs that none mends, so that the cheapest cure comes first."""

from __future__ import annotations

from .catalogue import Catalogue, CatalogueItem, default_catalogue
from .cost_rules import SWAP_VISIT
from .economics import Economics
from .finance import present_value_of_annual
from .remedies import CELLULAR, FILTER, MANUAL, OTHER_BAND, OTHER_PHASE, REPEATER

CHANGE_ROWS = {FILTER: "filter_plc", OTHER_PHASE: "phase_change_plc", OTHER_BAND: "band_change_plc"}
"""Catalogue rows of changes that are the same for every power line."""


def cure_prices(technology: str, economics: Economics) -> dict[str, float]:
    """Price of one change of each kind, of a cellular module and of reading one meter by hand, in the study's currency.

    Purchase, installation and yearly bills over the horizon; renewals, failures and shares of the programme follow in
    the cost, and with modules the adapter of a second technology, once for all of them. Raises ValueError where the
    catalogue has no row for the technology.
    """
    catalogue = economics.effective(default_catalogue())
    repeater = _chosen("relay", catalogue.require(5, technology, "device"), catalogue, economics)
    prices = {REPEATER: _once(repeater, economics) + _yearly(catalogue.item("energy_field_device"), economics)}
    prices |= {kind: _once(catalogue.item(row), economics) for kind, row in CHANGE_ROWS.items()}
    other = economics.supplementary_technology
    module = _chosen("supplementary_module", catalogue.require(2, other, "meter"), catalogue, economics)
    sim = _chosen("supplementary_sim", catalogue.require(10, other, "meter_yr"), catalogue, economics)
    visit = _once(catalogue.item(SWAP_VISIT), economics)
    by_hand = _yearly(catalogue.item("read_isolated"), economics) * economics.manual_reads_per_year
    return prices | {CELLULAR: _once(module, economics) + visit + _yearly(sim, economics), MANUAL: by_hand}


def _chosen(role: str, usual: CatalogueItem, catalogue: Catalogue, economics: Economics) -> CatalogueItem:
    return catalogue.item(economics.choices[role]) if role in economics.choices else usual


def _once(item: CatalogueItem, economics: Economics) -> float:
    return economics.unit_price(item)


def _yearly(item: CatalogueItem, economics: Economics) -> float:
    rate, years = economics.real_discount_rate, economics.horizon_years
    return present_value_of_annual(economics.unit_price(item), rate, years, economics.timing)
