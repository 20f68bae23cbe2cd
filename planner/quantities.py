"""From a plan to quantities: what is bought, run, visited and read by hand, as rows that the catalogue can price.

The table ``RULES`` says which driver each role multiplies and where its price stands. No rule knows a technology:
what differs between them is chosen by the catalogue's column ``technology``, so a new technology needs rows only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from .catalogue import Catalogue, CatalogueItem, nearest
from .economics import Economics, check_role

REMEDIES = (
    "repeater",
    "relay",
    "external_antenna",
    "further_site",
    "better_backhaul",
    "cellular_module",
    "manual_read",
    "complete_record",
)
"""How an unserved meter is brought to equal service; every unserved meter has exactly one."""

NOT_EQUIPPED = ("cellular_module", "manual_read")
"""Remedies after which a meter carries no module of the technology."""

SITE_WORKS: dict[str, tuple[str, ...]] = {
    "transformer": ("inst_dc_substation", "inst_pole_bucket"),
    "substation": ("inst_dc_substation", "inst_pole_bucket"),
    "pole_transformer": ("inst_dc_pole_tx", "inst_pole_bucket"),
    "pole": ("inst_pole_bucket",),
    "mast": ("inst_rooftop", "inst_pole_bucket"),
    "tower": ("inst_rooftop", "inst_pole_bucket"),
    "roof": ("inst_rooftop", "inst_pole_bucket"),
}
"""Installation by kind of site: the first row that holds for the technology."""

WITHOUT_SURVEY = ("transformer", "substation", "pole_transformer")
"""Kinds of site that the utility knows and need neither permit nor structural check."""

RENTAL: dict[str, tuple[str, ...]] = {
    "pole": ("rent_pole_wireless",),
    "roof": ("rent_roof_commercial", "rent_roof_partner", "rent_pole_wireless"),
    "mast": ("rent_roof_commercial", "rent_roof_partner", "rent_pole_wireless"),
    "tower": ("rent_roof_commercial", "rent_roof_partner", "rent_pole_wireless"),
    "substation": ("rent_pole_wireless",),
    "transformer": ("rent_pole_wireless",),
    "pole_transformer": ("rent_pole_wireless",),
}
"""Yearly rent on a third party's site; an own site costs ``rent_own_site``."""

BACKHAUL: dict[str, tuple[str, ...]] = {
    "cellular": ("bh_sim",),
    "fibre": ("bh_fibre",),
    "satellite": ("bh_satellite", "bh_sat_terminal"),
    "none": (),
}
OWNERS = ("own", "third_party")
POWERS = ("mains", "solar")

INSTALLED_ITEMS = frozenset({"rep_plc", "ext_antenna", "supp_tail", "bs_ptmp", "wire_wired_bus", "battery_swap"})
"""Rows whose price includes the labour (see their notes): no visit is added, and nothing is left at the horizon."""


@dataclass(frozen=True)
class SiteGroup:
    """Sites of one sort that carry one device each.

    kind : key of ``SITE_WORKS``;  owner : own or third_party;  backhaul : key of ``BACKHAUL``;  power : mains or solar.
    """

    kind: str
    owner: str
    backhaul: str
    n_sites: int
    power: str = "mains"


@dataclass(frozen=True)
class NetworkQuantities:
    """One technology's plan in numbers; the planner fills it, the cost model reads nothing else.

    technology : name as in the catalogue's column ``technology``.
    n_meters_in : all meters, served or not, listed by the audit or not.
    n_served : meters that the technology serves as planned.
    remedies : counts by name of ``REMEDIES``; together all meters in that are not served.
    sites : own infrastructure, empty where an operator runs the network.
    n_relays : relays and repeaters that stand in the plan already.
    operator : True where meters use an operator's network and pay by SIM.
    n_meters_3ph, n_battery_meters, n_stranded_meters : meters among those in that are three-phase, run on a
        battery, or replace a meter with book value left.
    mb_per_meter_year : bytes over the air per served meter, both directions, without firmware [MB/year].
    n_covered_per_site : meters one more site brings in; 0 takes the plan's own average.
    """

    technology: str
    n_meters_in: int
    n_served: int
    remedies: Mapping[str, int] = field(default_factory=dict)
    sites: tuple[SiteGroup, ...] = ()
    n_relays: int = 0
    operator: bool = False
    n_meters_3ph: int = 0
    n_battery_meters: int = 0
    n_stranded_meters: int = 0
    mb_per_meter_year: float = 0.0
    n_covered_per_site: float = 0.0

    def __post_init__(self) -> None:
        _check_counts(self)
        for remedy, count in self.remedies.items():
            if remedy not in REMEDIES:
                raise ValueError(f"{self.technology}: remedy {remedy!r} is unknown{nearest(remedy, REMEDIES)}")
            if count < 0:
                raise ValueError(f"{self.technology}: {count} meters have remedy {remedy}; a count is 0 or more")
        if sum(self.remedies.values()) != self.n_not_served:
            raise ValueError(
                f"{self.technology}: {sum(self.remedies.values())} meters have a remedy and {self.n_not_served} are "
                "not served; every unserved meter needs exactly one remedy, else it would be dropped from the cost"
            )
        for group in self.sites:
            _check_group(self.technology, group)
        if self.operator and self.n_sites:
            raise ValueError(f"{self.technology}: an operator's cells are not own sites; leave `sites` empty")

    @property
    def n_not_served(self) -> int:
        """Meters in that the technology does not serve as planned."""
        return self.n_meters_in - self.n_served

    @property
    def n_meters_equipped(self) -> int:
        """Meters that carry the technology's module."""
        return self.n_meters_in - sum(self.remedies.get(name, 0) for name in NOT_EQUIPPED)

    @property
    def n_sites(self) -> int:
        """Own sites = field devices of the plan, remedies apart."""
        return sum(group.n_sites for group in self.sites)


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


def drivers(quantities: NetworkQuantities, catalogue: Catalogue, economics: Economics) -> dict[str, float]:
    """What the rules multiply, by name; counts, shares of the programme, MB, FTE or failures per year."""
    meters = _meter_drivers(quantities, economics)
    network = _network_drivers(quantities, economics)
    devices = network["field_devices"] + network["relays"]
    core = economics.noc_core_operator_fte if quantities.operator else economics.noc_core_fte

    def rate(item_id: str) -> float:
        return economics.point_value(catalogue.item(item_id))

    return meters | network | {
        "failed_visits": meters["meters_in"] * rate("inst_failed_share"),
        "meter_failures": meters["meters_in"] * rate("fail_module"),
        "device_failures": devices * rate("fail_field_device"),
        "staff_fte": devices / rate("devices_per_fte") + core * meters["programme_share"],
    }  # fmt: skip


def added_sites(quantities: NetworkQuantities, n_meters: int) -> int:
    """Sites that bring in ``n_meters`` more: at the plan's average of meters per site, rounded up."""
    if n_meters == 0:
        return 0
    average = quantities.n_covered_per_site or quantities.n_served / max(quantities.n_sites, 1)
    return math.ceil(n_meters / max(average, 1.0))


def megabytes_per_meter_year(bytes_per_period: float, period_s: float) -> float:
    """Yearly volume of one meter [MB = 10^6 B] that moves ``bytes_per_period`` in each period [s].

    >>> round(megabytes_per_meter_year(96 * 4 * 4, 86_400.0), 6)
    0.56064
    """
    if bytes_per_period < 0 or not period_s > 0:
        raise ValueError(f"{bytes_per_period} bytes every {period_s} s: bytes are 0 or more and a period is positive")
    return bytes_per_period * (365 * 86_400.0 / period_s) / 1e6


def _meter_drivers(quantities: NetworkQuantities, economics: Economics) -> dict[str, float]:
    meters_in, remedies = float(quantities.n_meters_in), quantities.remedies
    equipped, supplementary = float(quantities.n_meters_equipped), float(remedies.get("cellular_module", 0))
    share = meters_in / max(economics.programme_meters, meters_in) if meters_in else 0.0
    firmware_mb = economics.firmware_mb * economics.firmware_campaigns_per_year
    overage_mb = max(quantities.mb_per_meter_year + firmware_mb - economics.data_plan_mb_per_year, 0.0)
    return {
        "meters_in": meters_in,
        "meters_3ph": float(quantities.n_meters_3ph),
        "meters_1ph": meters_in - quantities.n_meters_3ph,
        "meters_equipped": equipped,
        "meters_remote": equipped + supplementary,
        "stranded_meters": float(quantities.n_stranded_meters),
        "external_antennas": float(remedies.get("external_antenna", 0)),
        "incomplete_records": float(remedies.get("complete_record", 0)),
        "manual_reads": remedies.get("manual_read", 0) * economics.manual_reads_per_year,
        "supplementary_meters": supplementary,
        "supplementary_overage_mb": supplementary * overage_mb,
        "extra_technologies": share if supplementary else 0.0,
        "operator_meters": equipped if quantities.operator else 0.0,
        "own_network_meters": 0.0 if quantities.operator else equipped,
        "overage_mb": equipped * overage_mb if quantities.operator else 0.0,
        "programme_share": share,
        "firmware_campaigns": share * economics.firmware_campaigns_per_year,
    }


def _network_drivers(quantities: NetworkQuantities, economics: Economics) -> dict[str, float]:
    remedies = quantities.remedies
    mended = remedies.get("repeater", 0) + remedies.get("relay", 0)
    relays = float(quantities.n_relays + math.ceil(mended / economics.meters_per_relay))
    groups = all_sites(quantities)
    devices = float(sum(group.n_sites for group in groups))
    solar = float(sum(group.n_sites for group in groups if group.power == "solar"))
    cellular = sum(group.n_sites for group in groups if group.backhaul == "cellular")
    firmware_mb = economics.firmware_mb * economics.firmware_campaigns_per_year
    volume_mb = 0.0
    if devices:
        volume_mb = (quantities.mb_per_meter_year + firmware_mb) * quantities.n_meters_equipped * cellular / devices
    return {
        "field_devices": devices,
        "relays": relays,
        "relays_to_install": relays,
        "solar_sites": solar,
        "mains_devices": devices - solar + relays,
        "surveyed_sites": float(sum(group.n_sites for group in groups if group.kind not in WITHOUT_SURVEY)),
        "backhaul_overage_mb": max(volume_mb - cellular * economics.backhaul_plan_mb_per_year, 0.0),
    }


def all_sites(quantities: NetworkQuantities) -> tuple[SiteGroup, ...]:
    """Sites of the plan and those that the remedy ``further_site`` adds, which are of the plan's commonest sort."""
    extra = added_sites(quantities, quantities.remedies.get("further_site", 0))
    if not extra:
        return quantities.sites
    if not quantities.sites:
        raise ValueError(f"{quantities.technology}: remedy further_site needs own sites to copy; give another remedy")
    common = max(quantities.sites, key=lambda group: group.n_sites)
    return (*quantities.sites, SiteGroup(common.kind, common.owner, common.backhaul, extra, common.power))


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
    upgraded = added_sites(quantities, quantities.remedies.get("better_backhaul", 0))
    return lines + [
        _line("better_backhaul", catalogue.item(name), float(upgraded), catalogue)
        for name in BACKHAUL["satellite"]
        if upgraded
    ]


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


def _check_counts(quantities: NetworkQuantities) -> None:
    name = quantities.technology
    if quantities.n_meters_in <= 0:
        raise ValueError(f"{name}: n_meters_in = {quantities.n_meters_in}; a cost needs at least one meter")
    if not 0 <= quantities.n_served <= quantities.n_meters_in:
        raise ValueError(f"{name}: n_served = {quantities.n_served} must lie within 0 and {quantities.n_meters_in}")
    for count in ("n_meters_3ph", "n_battery_meters", "n_stranded_meters"):
        if not 0 <= getattr(quantities, count) <= quantities.n_meters_in:
            raise ValueError(f"{name}: {count} = {getattr(quantities, count)} must lie within 0 and the meters in")
    for amount in ("n_relays", "mb_per_meter_year", "n_covered_per_site"):
        number = getattr(quantities, amount)
        if not (math.isfinite(number) and number >= 0):
            raise ValueError(f"{name}: {amount} = {number}; give 0 or more")


def _check_group(technology: str, group: SiteGroup) -> None:
    for key, known in (("kind", SITE_WORKS), ("owner", OWNERS), ("backhaul", BACKHAUL), ("power", POWERS)):
        word = getattr(group, key)
        if word not in known:
            raise ValueError(f"{technology}: site {key} {word!r} is unknown{nearest(word, known)}")
    if group.n_sites < 0:
        raise ValueError(f"{technology}: {group.n_sites} sites of kind {group.kind}; a count is 0 or more")
