import json
import shutil
import sqlite3
from dataclasses import replace
from xml.etree import ElementTree

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from amiplan.studies import export
from amiplan.studies.export import FILES, STAMP, write_results
from amiplan.studies.layers import transformer_area_layer
from amiplan.studies.study import KPI_COLUMNS, METER_COLUMNS

LAYERS = [
    "service_area",
    "transformer_areas",
    "links",
    "meters",
    "sites",
    "sites_proposed",
    "qa_issues",
    "layer_styles",
]


@pytest.fixture(scope="module")
def folder(study, tmp_path_factory):
    target = tmp_path_factory.mktemp("export") / "result"
    write_results(study, target)
    return target


def test_the_folder_holds_what_is_promised_and_nothing_half_written(folder):
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES)
    assert [p.name for p in folder.parent.iterdir()] == ["result"]


def test_the_same_study_gives_the_same_bytes(study, make_study, folder, tmp_path):
    write_results(make_study(), tmp_path / "again")
    for name in FILES:
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_kpis_and_cost_read_back(folder, study):
    kpis, cost = pd.read_csv(folder / "kpis.csv"), pd.read_csv(folder / "cost.csv")
    assert tuple(kpis.columns) == KPI_COLUMNS
    assert (kpis.n == study.area.n_meters_in).all()
    sums = cost.groupby("technology").present_value.sum()
    assert np.allclose(sums[study.tco.technology], study.tco.tco, rtol=1e-6)


def test_the_meter_table_holds_every_meter_for_each_technology_and_service(folder, study):
    meters = gpd.read_parquet(folder / "meters.parquet")
    assert tuple(meters.columns) == METER_COLUMNS
    assert meters.crs == study.area.crs
    sizes = meters.groupby(["scenario", "technology", "service"]).size()
    assert len(sizes) == 8
    assert (sizes == 324).all()
    fate = meters.served.to_numpy(bool)
    assert ((meters.reason == "") == fate).all()
    assert not meters.drop(columns="geometry").isna().any().any()
    assert meters.geometry.isna().sum() == 2 * 8


def test_the_fleet_table_names_every_usable_meter_once(folder, study):
    fleet = pd.read_parquet(folder / "fleet.parquet")
    assert list(fleet.columns) == ["meter_id", "key", "kind"]
    assert fleet.key.dtype == np.uint64
    assert fleet.meter_id.is_monotonic_increasing
    known = study.area.meters.set_index("meter_id").key
    assert (known[fleet.meter_id].to_numpy() == fleet.key.to_numpy()).all()
    assert len(fleet) == study.area.n_meters


def test_the_geopackage_has_its_layers_and_counts(folder, study):
    path = folder / "study.gpkg"
    assert [name for name, _ in pyogrio.list_layers(path)] == LAYERS
    assert len(pyogrio.read_dataframe(path, layer="meters")) == 8 * 324
    areas = pyogrio.read_dataframe(path, layer="transformer_areas")
    assert areas.n_meters.sum() == 320
    served = int(study.results[0].deliveries.served.all(axis=0).sum())
    assert areas.served_g3_plc.sum() == served
    assert areas.p_read_g3_plc.between(0, 1).all()
    sites = pyogrio.read_dataframe(path, layer="sites")
    assert len(sites) == sum(int(r.plan.built.sum()) for r in study.results)
    assert sites[sites.technology == "g3_plc"].n_meters_served.sum() == served
    links = pyogrio.read_dataframe(path, layer="links")
    assert set(links.parent_kind) == {"meter", "site"}
    assert len(links) == sum(int((r.plan.routes.parent >= 0).sum()) for r in study.results)
    issues = pyogrio.read_dataframe(path, layer="qa_issues")
    assert len(issues) == 4
    assert sorted(issues.code) == ["duplicate_id", "no_place", "outside_area", "zero_zero"]


def test_the_styles_are_what_qgis_looks_for(folder, study):
    styles = pyogrio.read_dataframe(folder / "study.gpkg", layer="layer_styles", read_geometry=False)
    assert sorted(styles.f_table_name) == sorted(LAYERS[:-1])
    assert styles.useAsDefault.all()
    assert (styles.f_geometry_column == "geom").all()
    for row in styles.itertuples():
        renderer = ElementTree.fromstring(row.styleQML.split("\n", 1)[1]).find("renderer-v2")
        used = {rule.get("symbol") for rule in renderer.iter("rule")} - {None}
        assert used == {symbol.get("name") for symbol in renderer.find("symbols")}
        assert ElementTree.fromstring(row.styleSLD.encode()).tag.endswith("StyledLayerDescriptor")
    meters = styles[styles.f_table_name == "meters"].styleQML.iloc[0]
    groups = ElementTree.fromstring(meters.split("\n", 1)[1]).findall("renderer-v2/rules/rule")
    assert len(groups) == 8
    assert [g.get("checkstate") for g in groups] == [None] + ["0"] * 7


def test_the_legend_rules_divide_the_meters(folder):
    """The filters of the style, run as SQL: each meter falls under exactly one rule."""
    with sqlite3.connect(folder / "study.gpkg") as base:
        (text,) = base.execute("SELECT styleQML FROM layer_styles WHERE f_table_name = 'meters'").fetchone()
        groups = ElementTree.fromstring(text.split("\n", 1)[1]).findall("renderer-v2/rules/rule")
        total = 0
        for group in groups:
            for rule in group:
                where = f"({group.get('filter')}) AND ({rule.get('filter')})"
                total += base.execute(f"SELECT count(*) FROM meters WHERE {where}").fetchone()[0]
        assert total == base.execute("SELECT count(*) FROM meters").fetchone()[0]


def test_no_clock_reaches_the_geopackage(folder):
    with sqlite3.connect(folder / "study.gpkg") as base:
        stamps = {row[0] for row in base.execute("SELECT last_change FROM gpkg_contents")}
    assert stamps == {STAMP}
    assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") is None


def test_the_run_record_conserves_meters(folder):
    text = (folder / "run.json").read_text(encoding="utf-8")
    record = json.loads(text)
    assert text == json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    assert record["meters"] == {"in": 324, "used": 320, "listed": 4}
    for one in record["technologies"]:
        assert one["n_served"] + sum(one["not_served"].values()) == one["n_meters"] == 324
    assert {i["digest"] for i in record["inputs"]} == {"ab12cd34ef56", "9911aa22bb33"}


def test_somebody_elses_folder_is_refused(study, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "notes.txt").write_text("keep me")
    with pytest.raises(ValueError, match="not a result folder"):
        write_results(study, tmp_path / "letters")
    with pytest.raises(ValueError, match="not a result folder"):
        write_results(study, tmp_path / "letters" / "notes.txt")
    (tmp_path / "empty").mkdir()
    write_results(study, tmp_path / "empty")


def test_an_earlier_result_is_replaced_and_other_files_stay(study, folder, tmp_path):
    target = tmp_path / "mine"
    shutil.copytree(folder, target)
    (target / "notes.txt").write_text("keep me")
    write_results(replace(study, seed=99), target)
    assert (target / "notes.txt").read_text() == "keep me"
    assert json.loads((target / "run.json").read_text())["seed"] == 99


def test_a_missing_parent_is_named(study, tmp_path):
    with pytest.raises(ValueError, match="nowhere is not a folder"):
        write_results(study, tmp_path / "nowhere" / "result")


def test_a_fault_on_the_way_leaves_nothing_behind(study, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(export, "write_report", fail)
    with pytest.raises(OSError, match="disk full"):
        write_results(study, tmp_path / "result")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"buildings": False, "roads": False, "cables": False, "n_listed": 0},
        {"technologies": ("lorawan",), "dead": ("lorawan",)},
    ],
)
def test_empties_are_layers_too(make_study, tmp_path, options):
    write_results(make_study(9, **options), tmp_path / "small")
    assert [name for name, _ in pyogrio.list_layers(tmp_path / "small" / "study.gpkg")] == LAYERS


def test_a_transformer_without_meters_keeps_its_area(make_study):
    study = make_study(2)
    areas = transformer_area_layer(study)
    assert len(areas) == 8
    assert areas.n_meters.sum() == 2
    assert (areas.geometry.area > 100.0).all()
