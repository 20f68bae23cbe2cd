"""The bill of quantities: which catalogue row each part of a plan pays, and how many of it, after ``cost_rules``."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from .catalogue import Catalogue, CatalogueItem
from .cost_rules import INSTALLED_ITEMS, RULES, SWAP_VISIT, Rule
from .economics import Economics
from .plan_numbers import (
    BACKHAUL,
    RENTAL,
    SITE_WORKS,
    NetworkQuantities,
    SiteGroup,
    all_sites,
    drivers,
    megabytes_per_meter_year,
    upgraded_sites,
)

__all__ = [
    "Line",
    "NetworkQuantities",
    "SiteGroup",
    "megabytes_per_meter_year",
    "quantity_lines",
    "quantity_rows",
]


@dataclass(frozen=True)
class Line:
    """One role with its catalogue row and quantity per year (yearly) or in year 0."""

    role: str
    item: CatalogueItem
    category: int
    quantity: float
    yearly: bool
    visit: CatalogueItem | None = None


def quantity_lines(quantities: NetworkQuantities, catalogue: Catalogue, economics: Economics) -> list[Line]:
    """All lines whose quantity is not 0, in the order of ``RULES``, then sites and backhaul.

    catalogue : with the user's overrides in place.

    Raises ValueError where a row is missing (naming the technology) or a choice does not fit its role.
    """
    amounts = drivers(quantities, catalogue, economics)
    lines = [
        line
        for rule in RULES
        if amounts[rule.driver] != 0.0
        for line in _rule_lines(rule, amounts[rule.driver], quantities.technology, catalogue, economics)
    ]
    return lines + _site_lines(quantities, catalogue)


def quantity_rows(quantities: NetworkQuantities, catalogue: Catalogue, economics: Economics) -> pd.DataFrame:
    """The bill of quantities: ``role, item_id, category, quantity, unit, year_pattern`` (once or yearly)."""
    lines = quantity_lines(quantities, economics.effective(catalogue), economics)
    return pd.DataFrame(
        {
            "role": [line.role for line in lines],
            "item_id": [line.item.item_id for line in lines],
            "category": [line.category for line in lines],
            "quantity": [line.quantity for line in lines],
            "unit": [line.item.unit for line in lines],
            "year_pattern": ["yearly" if line.yearly else "once" for line in lines],
        }
    )


def _rule_lines(rule: Rule, quantity: float, technology: str, catalogue: Catalogue, economics: Economics) -> list[Line]:
    item = _item_of(rule, technology, catalogue, economics)
    if item is None:
        return []
    if rule.role == "relay_installation":
        relay = _item_of(next(r for r in RULES if r.role == "relay"), technology, catalogue, economics)
        if relay is not None and relay.item_id in INSTALLED_ITEMS:
            return []
    visit = catalogue.item(rule.visit) if rule.visit and item.item_id not in INSTALLED_ITEMS else None
    return [Line(rule.role, item, rule.category, quantity, rule.yearly or item.recurring, visit)]


def _item_of(rule: Rule, technology: str, catalogue: Catalogue, economics: Economics) -> CatalogueItem | None:
    wanted = economics.supplementary_technology if rule.supplementary else technology
    if rule.supplementary and wanted == technology:
        raise ValueError(
            f"remedy cellular_module cannot serve a meter that {technology} itself does not reach; name another "
            "economics.supplementary_technology or give another remedy"
        )
    category = rule.source_category or rule.category
    if rule.role in economics.choices:
        chosen = catalogue.item(economics.choices[rule.role])
        expected = catalogue.item(rule.item_id).category if rule.item_id else category
        if chosen.category != expected:
            raise ValueError(
                f"economics.choices.{rule.role} = {chosen.item_id!r} is a row of category {chosen.category}, the role "
                f"needs one of category {expected}"
            )
        if chosen.serves(wanted):
            return chosen
    if rule.item_id:
        return catalogue.item(rule.item_id)
    return (catalogue.require if rule.required else catalogue.find)(category, wanted, rule.unit)


def _site_lines(quantities: NetworkQuantities, catalogue: Catalogue) -> list[Line]:
    lines = [
        line for group in all_sites(quantities) if group.n_sites for line in _group_lines(quantities, group, catalogue)
    ]
    upgraded = float(upgraded_sites(quantities))
    for name in BACKHAUL["satellite"] if upgraded else ():
        lines.append(_line("better_backhaul", catalogue.item(name), upgraded, catalogue))
    return lines


def _group_lines(quantities: NetworkQuantities, group: SiteGroup, catalogue: Catalogue) -> list[Line]:
    technology, number = quantities.technology, float(group.n_sites)
    rental = ("rent_own_site",) if group.owner == "own" else RENTAL[group.kind]
    lines = [
        _line("site_works", _first_serving(SITE_WORKS[group.kind], technology, catalogue), number, catalogue),
        _line("site_rental", _first_serving(rental, technology, catalogue), number, catalogue),
    ]
    return lines + [_line("backhaul", catalogue.item(name), number, catalogue) for name in BACKHAUL[group.backhaul]]


def _line(role: str, item: CatalogueItem, quantity: float, catalogue: Catalogue) -> Line:
    visit = catalogue.item(SWAP_VISIT) if item.life_years is not None else None
    return Line(role, item, item.category, quantity, item.recurring, visit)


def _first_serving(names: tuple[str, ...], technology: str, catalogue: Catalogue) -> CatalogueItem:
    for name in names:
        if catalogue.item(name).serves(technology):
            return catalogue.item(name)
    raise ValueError(
        f"none of the catalogue rows {', '.join(names)} holds for technology {technology!r}; add it to one"
    )
