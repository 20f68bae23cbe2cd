"""The cost catalogue as data, and every way to override it wrongly."""

from typing import Any

import pytest
from amiplan.planner.catalogue import CATEGORY_LABELS, CatalogueItem, default_catalogue, read_catalogue
from amiplan.planner.economics import Economics

HEADER = (
    "item_id,category,technology,unit,low,mode,high,dist,currency,price_year,region,tax_incl,life_y,real_escalation,"
    "source,source_year,confidence,note\n"
)
ROW = "thing,4,lorawan,device,1,2,3,pert,EUR,2025,EU,no,8,0,somebody,2025,C,\n"


def test_default_catalogue_is_whole() -> None:
    catalogue = default_catalogue()
    assert len(catalogue.items) == 97
    assert {item.category for item in catalogue} == set(CATEGORY_LABELS)
    assert catalogue.item("wacc_real").mode == Economics().real_discount_rate
    assert catalogue.item("sim_nb_iot").mean == pytest.approx((1.2 + 4 * 3.5 + 12) / 6)
    assert catalogue.item("rent_own_site").mean == 0.0
    assert all(isinstance(item, CatalogueItem) and item.low <= item.mean <= item.high for item in catalogue)


def test_rows_are_found_by_technology_and_unit() -> None:
    catalogue = default_catalogue()
    assert catalogue.require(10, "nb_iot", "meter_yr").item_id == "sim_nb_iot"
    assert catalogue.require(2, "nb_iot", "meter").item_id == "mod_nb_iot"
    assert catalogue.find(10, "g3_plc", "meter_yr") is None
    with pytest.raises(ValueError, match="technology 'smoke_signals'"):
        catalogue.require(2, "smoke_signals", "meter")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (2.5, (2.5, 2.5, 2.5)),
        ({"value": 2.5}, (2.5, 2.5, 2.5)),
        ({"mode": 4.0}, (1.2, 4.0, 12.0)),
        ({"low": 1, "mode": 2, "high": 3}, (1.0, 2.0, 3.0)),
    ],
)
def test_overrides(change: Any, expected: Any) -> None:
    item = default_catalogue().with_overrides({"sim_nb_iot": change}).item("sim_nb_iot")
    assert (item.low, item.mode, item.high) == expected
    assert item.confidence == "user"
    assert default_catalogue().item("sim_nb_iot").confidence == "A"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"sim_nbiot": 2.0}, "did you mean 'sim_nb_iot'"),
        ({"sim_nb_iot": -2.0}, r"overrides.sim_nb_iot\] value = -2.0: cannot be negative"),
        ({"sim_nb_iot": {"low": -1.0}}, "sim_nb_iot.*low = -1.0"),
        ({"sim_nb_iot": {"mode": 20.0}}, "not in rising order"),
        ({"sim_nb_iot": {"prise": 2.0}}, "'prise' is unknown"),
        ({"sim_nb_iot": {"value": "2 EUR"}}, "is not a number"),
        ({"sim_nb_iot": {"value": float("nan")}}, "is not a number"),
        ({"sim_nb_iot": True}, "is not a number"),
        ({"sim_nb_iot": {"value": 2.0, "low": 1.0}}, "both value and low"),
        ({"sim_nb_iot": {"mode": 4.0, "currency": "USD"}}, "would mix"),
        ({"sim_nb_iot": {}}, "is empty"),
        ({"mod_nb_iot": {"life_y": 0}}, "a life is positive"),
        ({"mod_nb_iot": {"real_escalation": 2.0}}, "write 2 %"),
        ({"pm_share": 1.2}, "a share lies from 0"),
        ({"pm_share": {"value": 0.1, "currency": "EUR"}}, "share or ratio"),
        ({"wacc_real": 0.04}, "real_discount_rate"),
    ],
)
def test_impossible_overrides_are_refused(overrides: Any, message: Any) -> None:
    with pytest.raises(ValueError, match=message):
        default_catalogue().with_overrides(overrides)


def test_price_without_currency_is_refused_where_it_is_ambiguous() -> None:
    with pytest.raises(ValueError, match="add currency"):
        default_catalogue().with_overrides({"sim_nb_iot": 2.0}, study_currency="USD")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "has no rows"),
        (HEADER + ROW + ROW, "stands twice"),
        (HEADER + ROW.replace(",1,2,3,", ",x,2,3,"), "row thing"),
        (HEADER + ROW.replace(",1,2,3,", ",-1,2,3,"), "thing low = -1.0"),
        (HEADER + ROW.replace(",device,", ",devices,"), "did you mean 'device'"),
        (HEADER + ROW.replace("thing,4", "thing,44"), "category = 44"),
        (HEADER + ROW.replace(",C,", ",Z,"), "confidence"),
        (HEADER.replace("life_y", "life") + ROW, "column 'life_y' is missing"),
    ],
)
def test_impossible_catalogues_are_refused(text: Any, message: Any) -> None:
    with pytest.raises(ValueError, match=message):
        read_catalogue(text)


def test_currency_year_and_tax_need_a_conversion() -> None:
    dollars = {"sim_nb_iot": {"value": 4.0, "currency": "USD", "price_year": 2020, "tax_incl": True}}
    item = default_catalogue().with_overrides(dollars).item("sim_nb_iot")
    with pytest.raises(ValueError, match="price_indices"):
        Economics().unit_price(item)
    with pytest.raises(ValueError, match="currencies are mixed"):
        Economics(price_indices={"2020": 1.2}).unit_price(item)
    with pytest.raises(ValueError, match="tax_ratio"):
        Economics(price_indices={"2020": 1.2}, exchange_rates={"USD": 0.885}).unit_price(item)
    ready = Economics(price_indices={"2020": 1.2}, exchange_rates={"USD": 0.885}, tax_ratio=0.19)
    assert ready.unit_price(item) == pytest.approx(4.0 * 1.2 * 0.885 / 1.19)


def test_point_and_escalation() -> None:
    item = default_catalogue().item("sim_nb_iot")
    assert Economics(point="mode").unit_price(item) == 3.5
    assert Economics(point="mode").unit_price(item, 3) == pytest.approx(3.5 * 0.98**3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("horizon_years", 0),
        ("horizon_years", 41),
        ("real_discount_rate", 5),
        ("real_discount_rate", float("nan")),
        ("programme_meters", 0),
        ("point", "median"),
        ("timing", "monthly"),
        ("tax_ratio", -0.1),
        ("exchange_rates", {"USD": 0.0}),
        ("choices", {"sim": "sim_nbiot"}),
        ("horizon_years", 12.5),
        ("overrides", 3),
        ("currency", "USD"),
    ],
)
def test_impossible_settings_are_refused(field: Any, value: Any) -> None:
    with pytest.raises(ValueError, match="mixed" if field == "currency" else field):
        Economics(**{field: value}).effective(default_catalogue())
