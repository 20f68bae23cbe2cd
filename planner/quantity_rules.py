"""The bill of quantities: which catalogue row each part of a plan pays, and how many of it.

The table ``RULES`` says which driver each role multiplies and where its price stands. No rule knows a technology:
what differs between them is chosen by the catalogue's column ``technology``, so a new technology needs rows only.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from .catalogue import Catalogue, CatalogueItem
from .economics import Economics, check_role
from .quantities import BACKHAUL, RENTAL, SITE_WORKS, NetworkQuantities, SiteGroup, all_sites, drivers, upgraded_sites

INSTALLED_ITEMS = frozenset({"rep_plc", "ext_antenna", "supp_tail", "bs_ptmp", "wire_wired_bus", "battery_swap"})
"""Rows whose price includes the labour (see their notes): no visit is added, and nothing is left at the horizon."""


@dataclass(frozen=True)
class Rule:
    """One role: ``driver`` times the price of ``item_id``, or of the technology's own row of category and unit.

    category : where the amount is booked; ``source_category`` : where the row is looked up, if elsewhere.
    required : a missing row is an error wherever the driver is not 0.
    yearly : True or False where the unit alone does not tell (bytes, reads and visits that recur).
    visit : row of the visit that comes with each renewal.
    supplementary : look up for the supplementary technology instead.
    """

    role: str
    category: int
    driver: str
    item_id: str = ""
    unit: str = ""
    required: bool = True
    yearly: bool = False
    visit: str = ""
    source_category: int = 0
    supplementary: bool = False


METER_VISIT, SWAP_VISIT = "inst_1ph_eu", "visit_marginal"

RULES: tuple[Rule, ...] = (
    Rule("meter_1ph", 1, "meters_1ph", "meter_1ph", visit=METER_VISIT),
    Rule("meter_3ph", 1, "meters_3ph", "meter_3ph", visit=METER_VISIT),
    Rule("module", 2, "meters_equipped", unit="meter", visit=SWAP_VISIT),
    Rule("external_antenna", 3, "external_antennas", "ext_antenna"),
    Rule("field_device", 4, "field_devices", unit="device", visit=SWAP_VISIT),
    Rule("relay", 5, "relays", unit="device", visit=SWAP_VISIT),
    Rule("relay_installation", 5, "relays_to_install", SWAP_VISIT),
    Rule("wiring", 6, "meters_equipped", unit="meter", required=False),
    Rule("survey", 6, "surveyed_sites", "survey_permit"),
    Rule("solar", 8, "solar_sites", "solar_kit", visit=SWAP_VISIT),
    Rule("backhaul_data", 9, "backhaul_overage_mb", "data_overage", yearly=True),
    Rule("sim", 10, "operator_meters", unit="meter_yr"),
    Rule("data_overage", 10, "overage_mb", "data_overage", yearly=True),
    Rule("network_server", 11, "own_network_meters", unit="meter_yr"),
    Rule("installation", 13, "meters_in", METER_VISIT),
    Rule("failed_installation", 13, "failed_visits", METER_VISIT),
    Rule("record_visit", 13, "incomplete_records", SWAP_VISIT),
    Rule("hes", 14, "meters_remote", "hes_hosted"),
    Rule("mdms", 14, "meters_in", "mdms_hosted"),
    Rule("extra_technology", 15, "extra_technologies", "integration_extra_tech"),
    Rule("network_operations", 16, "staff_fte", "fte_network"),
    Rule("meter_fault_visit", 17, "meter_failures", SWAP_VISIT, yearly=True),
    Rule("device_fault_visit", 17, "device_failures", SWAP_VISIT, yearly=True),
    Rule("firmware", 20, "firmware_campaigns", "fota_campaign"),
    Rule("pki", 21, "programme_share", "pki_hsm"),
    Rule("cyber", 21, "meters_remote", "cyber_recurring"),
    Rule("module_energy", 22, "meters_equipped", unit="meter_yr"),
    Rule("device_energy", 22, "mains_devices", "energy_field_device"),
    Rule("manual_read", 23, "manual_reads", "read_isolated", yearly=True),
    Rule("supplementary_module", 24, "supplementary_meters", unit="meter", source_category=2, supplementary=True,
         visit=SWAP_VISIT),
    Rule("supplementary_sim", 24, "supplementary_meters", unit="meter_yr", source_category=10, supplementary=True),
    Rule("supplementary_data", 24, "supplementary_overage_mb", "data_overage", yearly=True),
    Rule("supplementary_energy", 24, "supplementary_meters", unit="meter_yr", source_category=22, supplementary=True),
    Rule("decommissioning", 26, "meters_in", "decommission_meter"),
    Rule("stranded", 26, "stranded_meters", "stranded_meter"),
)  # fmt: skip
"""Everything that is priced by quantity times price; shares of capex, renewals and hazards follow in ``cost``."""

ROLES = tuple(rule.role for rule in RULES)


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
    for role in economics.choices:
        check_role(role, ROLES)
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
