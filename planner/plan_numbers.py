"""A plan in numbers: what is bought, run, visited and read by hand; nothing here knows a map or a technology."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from .catalogue import Catalogue, nearest
from .economics import Economics

REMEDIES = (
    "repeater",
    "filter",
    "other_phase",
    "other_band",
    "relay",
    "external_antenna",
    "better_backhaul",
    "further_site",
    "cellular_module",
    "manual_read",
    "complete_record",
)
"""How an unserved meter is brought to equal service, from light to heavy; every unserved meter has exactly one."""

CHANGES = ("filter", "other_phase", "other_band")
"""Remedies of which one change may mend several meters."""

AT_SITES = ("better_backhaul", "further_site")
"""Remedies that are built at own sites."""

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
    n_relays : relays and repeaters that stand in the plan already, those of computed cures among them.
    n_repeated : meters with the remedy ``repeater`` whose repeaters are counted in ``n_relays``.
    changes : filters, changes of phase and of band that are made, by remedy; where it says none, one a meter.
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
    n_repeated: int = 0
    changes: Mapping[str, int] = field(default_factory=dict)
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
        if not 0 <= self.n_repeated <= self.remedies.get("repeater", 0):
            raise ValueError(
                f"{self.technology}: n_repeated = {self.n_repeated} must lie within 0 and the meters with a repeater"
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
    def n_read_by_hand(self) -> int:
        """Meters left to manual reading; also those whose remedy is at a site where there is no own site."""
        at_sites = 0 if self.n_sites else sum(self.remedies.get(name, 0) for name in AT_SITES)
        return self.remedies.get("manual_read", 0) + at_sites

    @property
    def n_meters_equipped(self) -> int:
        """Meters that carry the technology's module."""
        return self.n_meters_in - self.n_read_by_hand - self.remedies.get("cellular_module", 0)

    @property
    def n_sites(self) -> int:
        """Own sites = field devices of the plan, remedies apart."""
        return sum(group.n_sites for group in self.sites)


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


def added_sites(quantities: NetworkQuantities) -> int:
    """Sites of the remedy ``further_site``: at the plan's own average of meters per site, rounded up."""
    wanted = quantities.remedies.get("further_site", 0)
    if not wanted or not quantities.n_sites:
        return 0
    average = quantities.n_covered_per_site or (quantities.n_meters_equipped - wanted) / quantities.n_sites
    return math.ceil(wanted / max(average, 1.0))


def upgraded_sites(quantities: NetworkQuantities) -> int:
    """Sites that get a second, satellite backhaul for the remedy ``better_backhaul``, at most all."""
    wanted = quantities.remedies.get("better_backhaul", 0)
    if not wanted or not quantities.n_sites:
        return 0
    return min(math.ceil(wanted * quantities.n_sites / quantities.n_meters_equipped), quantities.n_sites)


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
        "manual_reads": quantities.n_read_by_hand * economics.manual_reads_per_year,
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
    mended = remedies.get("repeater", 0) + remedies.get("relay", 0) - quantities.n_repeated
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
        **{f"{name}_changes": float(quantities.changes.get(name, remedies.get(name, 0))) for name in CHANGES},
        "solar_sites": solar,
        "mains_devices": devices - solar + relays,
        "surveyed_sites": float(sum(group.n_sites for group in groups if group.kind not in WITHOUT_SURVEY)),
        "backhaul_overage_mb": max(volume_mb - cellular * economics.backhaul_plan_mb_per_year, 0.0),
    }


def all_sites(quantities: NetworkQuantities) -> tuple[SiteGroup, ...]:
    """Sites of the plan and those that the remedy ``further_site`` adds, which are of the plan's commonest sort."""
    extra = added_sites(quantities)
    if not extra:
        return quantities.sites
    common = max(quantities.sites, key=lambda group: group.n_sites)
    return (*quantities.sites, SiteGroup(common.kind, common.owner, common.backhaul, extra, common.power))


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
