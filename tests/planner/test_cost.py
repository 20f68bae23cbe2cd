"""From quantities to money: closed forms, what must hold between plans, and what is refused."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from amiplan.channels.parameters import parameters_of
from amiplan.planner import finance
from amiplan.planner.catalogue import Catalogue, default_catalogue
from amiplan.planner.cost import CASH_FLOW_COLUMNS, KINDS, Economics, cash_flows, category_totals, summary
from amiplan.planner.cost_rules import ROLES
from amiplan.planner.quantities import NetworkQuantities, SiteGroup, megabytes_per_meter_year, quantity_rows
from hypothesis import given, settings
from hypothesis import strategies as st

CATALOGUE = default_catalogue()
N = 2000
PLANS = {
    "g3_plc": NetworkQuantities(
        "g3_plc", N, 1900, {"repeater": 60, "cellular_module": 25, "manual_read": 15},
        (SiteGroup("transformer", "own", "cellular", 30),), mb_per_meter_year=2.0,
    ),
    "wisun_fan": NetworkQuantities(
        "wisun_fan", N, 1900, {"relay": 60, "external_antenna": 25, "manual_read": 15},
        (SiteGroup("pole", "own", "cellular", 5), SiteGroup("roof", "third_party", "fibre", 1)), n_relays=4,
        mb_per_meter_year=2.0,
    ),
    "lorawan": NetworkQuantities(
        "lorawan", N, 1900, {"further_site": 60, "external_antenna": 25, "manual_read": 15},
        (SiteGroup("mast", "third_party", "satellite", 3, "solar"),), mb_per_meter_year=0.5,
    ),
    "nb_iot": NetworkQuantities(
        "nb_iot", N, 1950, {"external_antenna": 30, "manual_read": 20}, operator=True, mb_per_meter_year=2.0
    ),
}  # fmt: skip


def tco(name: str, economics: Economics | None = None, **changes: Any) -> float:
    economics = economics or Economics()
    plan = replace(PLANS[name], **changes)
    return float(summary(cash_flows(plan, CATALOGUE, economics), plan, economics)["tco"])


def present_value(flows: pd.DataFrame, **where: Any) -> float:
    keep = np.ones(len(flows), bool)
    for column, value in where.items():
        keep &= flows[column].to_numpy() == value
    return float(flows.loc[keep, "present_value"].sum())


@pytest.mark.parametrize("name", PLANS)
def test_table_adds_up(name: Any) -> None:
    economics = Economics()
    flows = cash_flows(PLANS[name], CATALOGUE, economics)
    totals = summary(flows, PLANS[name], economics)
    assert tuple(flows.columns) == CASH_FLOW_COLUMNS
    assert set(flows["kind"]) <= set(KINDS)
    assert flows["year"].min() == 0
    assert flows["year"].max() == economics.horizon_years
    assert np.isfinite(flows["present_value"]).all()
    assert (flows["amount"] == flows["quantity"] * flows["unit_price"]).all()
    assert (flows.loc[flows["kind"] != "residual", "amount"] >= 0).all()
    assert math.fsum(category_totals(flows)["present_value"]) == totals["tco"]
    parts = ("capex", "opex_present_value", "renewals_present_value", "residual_present_value")
    assert sum(totals[part] for part in parts) == pytest.approx(totals["tco"], rel=1e-12)
    by_evidence = [totals[f"evidence_{grade}"] for grade in ("a", "b", "c", "user")]
    assert sum(by_evidence) == pytest.approx(1.0)
    assert totals["eac_per_meter"] == pytest.approx(totals["tco"] / N / finance.annuity(0.05, 15))


def test_capex_by_hand() -> None:
    economics = Economics(point="mode")
    flows = cash_flows(PLANS["nb_iot"], CATALOGUE, economics)
    equipped = N - 20
    direct = N * 32 + equipped * 8 + 30 * 90 + N * 78 * 1.12 + N / 100_000 * 200_000 + N * 1.5
    other = direct * (1 + 0.09 + 0.15)
    assert flows.loc[flows["kind"] == "capex", "amount"].sum() == pytest.approx(other / (1 - 0.13))
    assert present_value(flows, category=15) == pytest.approx(0.13 * other / (1 - 0.13))


def test_sim_by_closed_form() -> None:
    economics = Economics(point="mode")
    flows = cash_flows(PLANS["nb_iot"], CATALOGUE, economics)
    expected = (N - 20) * finance.present_value_growing(3.5, -0.02, 0.05, 15)
    assert present_value(flows, category=10) == pytest.approx(expected)


def test_module_renewal_and_residual_by_closed_form() -> None:
    economics = Economics(point="mode")
    flows = cash_flows(PLANS["nb_iot"], CATALOGUE, economics)
    equipped = N - 20
    renewals = finance.renewals_present_value(8.0, 0.0, 10, 15, 0.05, erosion=0.03) * equipped
    visits = 90.0 * 1.01**10 / 1.05**10 * equipped
    residual = finance.residual_present_value(8.0, 10, 15, 0.05, erosion=0.03) * equipped
    assert present_value(flows, kind="renewal", item_id="mod_nb_iot") == pytest.approx(renewals)
    assert present_value(flows, kind="renewal", item_id="visit_marginal") == pytest.approx(visits)
    assert present_value(flows, kind="residual") == pytest.approx(-residual)


def test_failures_by_closed_form() -> None:
    flat = {"mod_nb_iot": {"real_escalation": 0.0}}
    economics = Economics(point="mode", overrides=flat, include_meter=False)
    flows = cash_flows(PLANS["nb_iot"], CATALOGUE, economics)
    expected = (N - 20) * finance.failures_present_value(0.005, 8.0, 0.0, 15, 0.05, warranty_years=2)
    assert present_value(flows, category=17, item_id="mod_nb_iot") == pytest.approx(expected)


def test_sunset_by_closed_form() -> None:
    flows = cash_flows(PLANS["nb_iot"], CATALOGUE, Economics(point="mode"))
    expected = (N - 20) * finance.sunset_present_value(0.02, 115.0, 15, 0.05)
    assert present_value(flows, category=19) == pytest.approx(expected)
    assert present_value(cash_flows(PLANS["lorawan"], CATALOGUE, Economics()), category=19) == 0.0


def test_bills_of_one_year_move_with_timing_and_purchases_do_not() -> None:
    end, advance = (cash_flows(PLANS["lorawan"], CATALOGUE, Economics(timing=t)) for t in ("end_year", "advance"))
    assert present_value(advance, kind="opex") == pytest.approx(1.05 * present_value(end, kind="opex"))
    assert present_value(advance, kind="renewal") == present_value(end, kind="renewal")


@given(rate=st.floats(0.0, 0.2), horizon=st.integers(1, 40), timing=st.sampled_from(finance.TIMINGS))
@settings(max_examples=15, deadline=None)
def test_any_horizon_and_rate_add_up(rate: float, horizon: int, timing: str) -> None:
    economics = Economics(real_discount_rate=rate, horizon_years=horizon, timing=timing)
    flows = cash_flows(PLANS["wisun_fan"], CATALOGUE, economics)
    totals = summary(flows, PLANS["wisun_fan"], economics)
    parts = ("capex", "opex_present_value", "renewals_present_value", "residual_present_value")
    assert sum(totals[part] for part in parts) == pytest.approx(totals["tco"], rel=1e-9)
    assert totals["tco"] > 0
    assert flows.loc[flows["kind"] == "residual", "amount"].le(0).all()
    assert flows["year"].between(0, horizon).all()


@given(price=st.floats(0.0, 500.0))
@settings(max_examples=5, deadline=None)
def test_price_of_the_common_meter_changes_no_difference(price: Any) -> None:
    economics = Economics(overrides={"meter_1ph": price})
    for name in ("g3_plc", "nb_iot"):
        change = tco(name, economics) - tco(name)
        assert change == pytest.approx(tco("lorawan", economics) - tco("lorawan"), rel=1e-9, abs=1e-6)


def test_without_meter_the_ranking_stays() -> None:
    assert sorted(PLANS, key=tco) == sorted(PLANS, key=lambda name: tco(name, Economics(include_meter=False)))
    flows = cash_flows(PLANS["g3_plc"], CATALOGUE, Economics(include_meter=False))
    assert 1 not in set(flows["category"])


@pytest.mark.parametrize(
    "item_id", ["sim_nb_iot", "mod_nb_iot", "inst_1ph_eu", "hes_hosted", "read_isolated", "pki_hsm"]
)
def test_doubling_a_price_raises_the_cost(item_id: Any) -> None:
    item = CATALOGUE.item(item_id)
    double = {"low": 2 * item.low, "mode": 2 * item.mode, "high": 2 * item.high}
    assert tco("nb_iot", Economics(overrides={item_id: double})) > tco("nb_iot")


def test_sim_price_flips_the_ranking() -> None:
    cheap = Economics(overrides={"sim_nb_iot": 0.0, "sunset_hazard_lpwa": 0.0, "mod_nb_iot": {"life_y": 15}})
    assert tco("nb_iot") > tco("lorawan")
    assert tco("nb_iot", cheap) < tco("lorawan", cheap)


@pytest.mark.parametrize("name", PLANS)
def test_unserved_meters_are_priced(name: Any) -> None:
    plan = PLANS[name]
    more = {**plan.remedies, "manual_read": plan.remedies["manual_read"] + 200}
    worse = replace(plan, n_served=plan.n_served - 200, remedies=more)
    flows, economics = cash_flows(worse, CATALOGUE, Economics()), Economics()
    reads = flows.loc[(flows["category"] == 23) & (flows["year"] == 1), "quantity"].sum()
    assert reads == 12 * more["manual_read"]
    assert summary(flows, worse, economics)["n_meters"] == N
    assert tco(name, n_served=worse.n_served, remedies=more) > tco(name)


def test_manual_reading_of_everybody_still_costs() -> None:
    nobody = NetworkQuantities("lorawan", N, 0, {"manual_read": N})
    flows = cash_flows(nobody, CATALOGUE, Economics())
    assert present_value(flows, category=23) > 0
    assert not set(flows["category"]) & {2, 4, 5, 6, 7, 9, 11}


def test_remedy_at_a_site_where_there_is_none_is_manual_reading() -> None:
    by_hand = NetworkQuantities("nb_iot", N, 0, {"better_backhaul": N}, operator=True)
    assert (by_hand.n_read_by_hand, by_hand.n_meters_equipped) == (N, 0)
    assert present_value(cash_flows(by_hand, CATALOGUE, Economics()), category=23) > 0


def test_remedies_buy_what_they_say() -> None:
    rows = quantity_rows(PLANS["g3_plc"], CATALOGUE, Economics()).set_index("role")
    assert rows.loc["relay", "quantity"] == 20
    assert rows.loc["supplementary_module", "item_id"] == "mod_lte_m"
    assert rows.loc["supplementary_sim", "category"] == 24
    assert rows.loc["extra_technology", "quantity"] == pytest.approx(N / 100_000)
    assert "relay_installation" not in rows.index
    mesh = quantity_rows(PLANS["wisun_fan"], CATALOGUE, Economics()).set_index("role")
    assert mesh.loc[["relay", "relay_installation"], "quantity"].tolist() == [24, 24]
    gateways = quantity_rows(PLANS["lorawan"], CATALOGUE, Economics()).set_index("role")
    assert gateways.loc["field_device", "quantity"] == 4
    assert gateways.loc["solar", "quantity"] == 4
    satellite = replace(PLANS["g3_plc"], n_served=960, remedies={"better_backhaul": 1040})
    upgraded = quantity_rows(satellite, CATALOGUE, Economics())
    assert upgraded.loc[upgraded["role"] == "better_backhaul", "quantity"].tolist() == [16, 16]


def test_data_above_the_plan_is_paid() -> None:
    dry, wet = (
        cash_flows(replace(PLANS["nb_iot"], mb_per_meter_year=mb), CATALOGUE, Economics(firmware_mb=0.0))
        for mb in (12.0, 20.0)
    )
    assert "data_overage" not in set(dry["item_id"])
    assert wet.loc[(wet["item_id"] == "data_overage") & (wet["year"] == 1), "quantity"].sum() == 8.0 * (N - 20)
    concentrators = cash_flows(replace(PLANS["g3_plc"], mb_per_meter_year=20.0), CATALOGUE, Economics(firmware_mb=0.0))
    extra = concentrators.query("item_id == 'data_overage' and year == 1 and category == 9")["quantity"]
    assert extra.sum() == pytest.approx((N - 40) * 20.0 - 30 * 1200.0)


def test_ten_and_fifteen_years_differ_by_bills_renewals_and_residuals_only() -> None:
    short, long = (
        summary(cash_flows(PLANS["nb_iot"], CATALOGUE, e), PLANS["nb_iot"], e)
        for e in (Economics(horizon_years=10), Economics(horizon_years=15))
    )
    assert short["capex"] == long["capex"]
    flows = cash_flows(PLANS["nb_iot"], CATALOGUE, Economics())
    late = present_value(flows[flows["year"] > 10], kind="opex")
    assert long["opex_present_value"] - short["opex_present_value"] == pytest.approx(late)
    swap = present_value(cash_flows(PLANS["nb_iot"], CATALOGUE, Economics(horizon_years=10)), item_id="mod_nb_iot",
                         kind="renewal")  # fmt: skip
    assert swap == 0.0
    assert present_value(flows, item_id="mod_nb_iot", kind="renewal") > 0


def test_a_meter_exchange_brings_the_module_along() -> None:
    flows = cash_flows(PLANS["g3_plc"], CATALOGUE, Economics(horizon_years=20))
    at_15 = flows[(flows["year"] == 15) & (flows["kind"] == "renewal")].set_index("item_id")
    assert at_15.loc["mod_g3_plc", "quantity"] == N - 40
    assert at_15.loc["inst_1ph_eu", "quantity"] == N
    assert "visit_marginal" not in at_15.index


def test_lump_sums_are_shared_by_the_programme() -> None:
    alone = tco("lorawan", Economics(programme_meters=1))
    shared = tco("lorawan", Economics(programme_meters=1e9))
    assert alone > tco("lorawan") > shared
    assert alone == tco("lorawan", Economics(programme_meters=N))


def test_user_figures_are_counted_as_evidence() -> None:
    economics = Economics(overrides={"inst_1ph_eu": 80.0})
    totals = summary(cash_flows(PLANS["nb_iot"], CATALOGUE, economics), PLANS["nb_iot"], economics)
    assert totals["evidence_user"] > 0.1
    everything = {item.item_id: item.mode for item in CATALOGUE if item.item_id != "wacc_real"}
    economics = Economics(overrides=everything)
    totals = summary(cash_flows(PLANS["nb_iot"], CATALOGUE, economics), PLANS["nb_iot"], economics)
    assert totals["evidence_user"] == pytest.approx(1.0)


def test_choices_take_another_row() -> None:
    indoor = Economics(choices={"field_device": "gw_lorawan_indoor", "sim": "sim_prepaid_10y"})
    assert "gw_lorawan_indoor" in set(cash_flows(PLANS["lorawan"], CATALOGUE, indoor)["item_id"])
    assert "dc_g3_plc" in set(cash_flows(PLANS["g3_plc"], CATALOGUE, indoor)["item_id"])
    prepaid = cash_flows(PLANS["nb_iot"], CATALOGUE, indoor)
    assert prepaid.loc[prepaid["item_id"] == "sim_prepaid_10y", "year"].tolist() == [0, 10]


def test_a_new_technology_needs_rows_only() -> None:
    rows = {name: replace(item, technologies=(*item.technologies, "new_mesh")) for name, item in CATALOGUE.items.items()
            if "wisun_fan" in item.technologies}  # fmt: skip
    plan = replace(PLANS["wisun_fan"], technology="new_mesh")
    flows = cash_flows(plan, Catalogue({**CATALOGUE.items, **rows}), Economics())
    assert flows.equals(cash_flows(PLANS["wisun_fan"], CATALOGUE, Economics()))


def test_foreign_study_currency() -> None:
    economics = Economics(currency="USD", exchange_rates={"EUR": 1.13})
    assert tco("lorawan", economics) == pytest.approx(1.13 * tco("lorawan"))
    with pytest.raises(ValueError, match="currencies are mixed"):
        tco("lorawan", Economics(currency="USD"))


def test_batteries_follow_their_life_distribution() -> None:
    flows = cash_flows(replace(PLANS["lorawan"], n_battery_meters=N), CATALOGUE, Economics())
    swaps = flows.loc[flows["item_id"] == "battery_swap"].set_index("year")["quantity"]
    assert swaps.loc[13] > 100 * swaps.loc[5]
    assert swaps.sum() == pytest.approx(N * finance.weibull_renewals(8.0, 13.3, 15).sum())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"technology": "smoke_signals"}, "technology 'smoke_signals'"),
        ({"n_served": 1800}, "exactly one remedy"),
        ({"n_served": N + 1}, "n_served"),
        ({"n_meters_in": 0, "n_served": 0}, "at least one meter"),
        ({"remedies": {"hope": 100}}, "remedy 'hope' is unknown"),
        ({"remedies": {"relay": 110, "manual_read": -10}}, "a count is 0 or more"),
        ({"sites": (SiteGroup("polle", "own", "cellular", 3),)}, "did you mean 'pole'"),
        ({"sites": (SiteGroup("pole", "operator", "cellular", 3),)}, "owner"),
        ({"sites": (SiteGroup("pole", "own", "pigeon", 3),)}, "backhaul"),
        ({"sites": (SiteGroup("pole", "own", "fibre", -3),)}, "a count is 0"),
        ({"operator": True}, "not own sites"),
        ({"mb_per_meter_year": float("nan")}, "mb_per_meter_year"),
        ({"n_meters_3ph": N + 1}, "n_meters_3ph"),
        ({"technology": "lorawan", "remedies": {"repeater": 100}}, "repeater or relay.*'lorawan'"),
    ],
)
def test_impossible_quantities_are_refused(changes: Any, message: Any) -> None:
    with pytest.raises(ValueError, match=message):
        cash_flows(replace(PLANS["g3_plc"], **changes), CATALOGUE, Economics())


@pytest.mark.parametrize(
    ("economics", "message"),
    [
        (Economics(choices={"field_devise": "dc_prime"}), "did you mean 'field_device'"),
        (Economics(choices={"field_device": "mod_g3_plc"}), "category 2"),
        (Economics(overrides={"sim_nb": 1.0}), "not in the cost catalogue"),
        (Economics(choices={"field_device": "dc_prim"}), "did you mean 'dc_prime'"),
        (Economics(supplementary_technology="g3_plc"), "cannot serve a meter"),
        (Economics(supplementary_technology="lte-m"), "did you mean 'lte_m'"),
    ],
)
def test_impossible_choices_are_refused(economics: Any, message: Any) -> None:
    with pytest.raises(ValueError, match=message):
        cash_flows(PLANS["g3_plc"], CATALOGUE, economics)


def test_t15_volume_of_a_million_profiles() -> None:
    assert 1e6 * megabytes_per_meter_year(96 * 4 * 4, 86_400.0) / 1e6 == pytest.approx(0.56, abs=0.001)
    with pytest.raises(ValueError, match="period"):
        megabytes_per_meter_year(10.0, 0.0)


def test_settings_tell_unit_source_and_limits() -> None:
    rows = pd.DataFrame(parameters_of(Economics()))
    assert rows["meaning"].ne("").all()
    assert rows["source"].ne("").all()
    assert rows["confidence"].isin(["A", "B", "C"]).all()
    assert len(set(ROLES)) == len(ROLES)
