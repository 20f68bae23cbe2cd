"""The table of roles: which driver each part of a plan multiplies, and which catalogue row prices it.

No rule knows a technology: what differs between them is chosen by the catalogue's column ``technology``, so a new
technology needs rows only. How the table is worked off stands in ``quantities``.
"""

from __future__ import annotations

from dataclasses import dataclass

INSTALLED_ITEMS = frozenset(
    {"rep_plc", "filter_plc", "ext_antenna", "supp_tail", "bs_ptmp", "wire_wired_bus", "battery_swap"}
)
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
    Rule("filter", 5, "filter_changes", "filter_plc"),
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
    Rule("phase_change", 13, "other_phase_changes", "phase_change_plc"),
    Rule("hes", 14, "meters_remote", "hes_hosted"),
    Rule("mdms", 14, "meters_in", "mdms_hosted"),
    Rule("extra_technology", 15, "extra_technologies", "integration_extra_tech"),
    Rule("network_operations", 16, "staff_fte", "fte_network"),
    Rule("meter_fault_visit", 17, "meter_failures", SWAP_VISIT, yearly=True),
    Rule("device_fault_visit", 17, "device_failures", SWAP_VISIT, yearly=True),
    Rule("firmware", 20, "firmware_campaigns", "fota_campaign"),
    Rule("band_change", 20, "other_band_changes", "band_change_plc"),
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
