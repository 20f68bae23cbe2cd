"""The result folder: tables, layers, provenance and report, complete or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray

from ..planner.tables import StudyResult
from .maps import link_lines, meter_states, slug
from .report import write_report
from .report_tables import standings
from .study import KPI_COLUMNS, METER_COLUMNS, Study
from .styles import Rule, group_rules, meter_rules, qml, single_rule, sld

Array = NDArray[Any]

COST_COLUMNS = (
    "scenario", "technology", "year", "category", "category_label", "item_id", "kind", "quantity", "unit",
    "unit_price", "amount", "present_value", "currency",
)  # fmt: skip
FILES = ("kpis.csv", "cost.csv", "meters.parquet", "study.gpkg", "report.html", "run.json")
"""What a result folder holds, in the order of writing; ``run.json`` last, so that its presence says complete."""
STAMP = "2000-01-01T00:00:00.000Z"
"""Stands wherever a file format demands a time of writing, so that equal studies give equal content."""
_DECIMALS = 6
_AROUND_M = 12.0


def write_results(study: Study, folder: str | Path, *, replace: bool = False) -> None:
    """Write the whole result folder of a study, or leave everything as it was.

    Parameters
    ----------
    study : the study, run.
    folder : folder to make; its parent must exist. Other files in an existing folder are left alone.
    replace : allow that the result files of an existing folder are replaced.

    Raises ValueError where the folder holds something and ``replace`` is not given, its parent is missing, or counts
    do not add up.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())) and not replace:
        raise ValueError(f"{target} exists already: choose another folder, or allow replacing")
    if not target.resolve().parent.is_dir():
        raise ValueError(f"{target.resolve().parent} is not a folder: make it first")
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.resolve().parent))
    try:
        _write_all(study, partial)
        _move(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_all(study: Study, folder: Path) -> None:
    write_csv(_ranked(study, study.kpis)[list(KPI_COLUMNS)], folder / "kpis.csv")
    cost = _ranked(study, study.cost, "year", "category", "item_id", "kind")
    write_csv(cost[list(COST_COLUMNS)], folder / "cost.csv")
    meters = meter_table(study)
    meters.to_parquet(folder / "meters.parquet", index=False, compression="zstd")
    write_geopackage(study, meters, folder / "study.gpkg")
    write_report(study, folder / "report.html")
    text = json.dumps(run_record(study), indent=2, sort_keys=True, ensure_ascii=False)
    (folder / "run.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def _move(partial: Path, target: Path) -> None:
    partial.chmod(0o755)
    if not target.exists():
        partial.rename(target)
        return
    for name in FILES:
        os.replace(partial / name, target / name)


def _ranked(study: Study, table: Any, *columns: str) -> Any:
    """Rows in the order of the study's results, then by ``columns``, else as they come."""
    order = {(r.scenario, r.technology): i for i, r in enumerate(study.results)}
    pairs = zip(table.scenario, table.technology, strict=True)
    rank = np.array([order.get(pair, len(order)) for pair in pairs], dtype=np.int64)
    ranked = table.assign(_rank=rank).sort_values(["_rank", *columns], kind="stable")
    return ranked.drop(columns="_rank").reset_index(drop=True)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """CSV in UTF-8 with nine significant digits and Unix line ends: equal on every machine."""
    table.to_csv(path, index=False, float_format="%.9g", lineterminator="\n", encoding="utf-8")


def meter_table(study: Study) -> gpd.GeoDataFrame:
    """One row per scenario, technology, service and meter in, sorted, floats rounded to six decimals."""
    rows = _ranked(study, study.meters, "service", "meter_id", "data_flag")[list(METER_COLUMNS)]
    floats = rows.select_dtypes("floating").columns
    rows = rows.assign(**{name: _rounded(rows[name]) for name in floats})
    integers = {"n_servers": np.int32, "hops": np.int32, "served": np.bool_}
    return gpd.GeoDataFrame(rows.astype(integers), geometry="geometry", crs=study.area.crs)


def _rounded(values: Any) -> Array:
    return np.round(np.asarray(values, dtype=np.float64), _DECIMALS) + 0.0


def run_record(study: Study) -> dict[str, Any]:
    """What was run on what: version, digest, seed, inputs with digests, counts, technologies, warnings."""
    area = study.area
    return {
        "title": study.title,
        "case": study.case_name,
        "case_digest": study.case_digest,
        "version": study.version,
        "seed": study.seed,
        "service": study.service_text,
        "read_probability": study.read_probability,
        "crs": area.crs,
        "inputs": [
            {
                "role": s.role, "path": s.path, "layer": s.layer, "digest": s.digest, "crs": s.crs,
                "rows_in": s.rows_in, "rows_used": s.rows_used, "rows_listed": s.rows_listed,
                "rows_clipped": s.rows_clipped, "licence": s.licence,
            }
            for s in area.sources
        ],
        "meters": {"in": area.n_meters_in, "used": len(area.meters), "listed": area.n_meters_in - len(area.meters)},
        "technologies": [
            {
                "technology": result.technology, "scenario": result.scenario, "label": study.label(result.technology),
                "n_meters": s.n, "n_served": s.n_served, "not_served": dict(s.reasons), "n_sites": s.n_sites,
            }
            for s, result in zip(standings(study), study.results, strict=True)
        ],
        "attributions": list(area.attributions),
        "notes": list(area.notes),
        "warnings": list(study.warnings),
        "limits": list(study.limits),
    }  # fmt: skip


def write_geopackage(study: Study, meters: gpd.GeoDataFrame, path: Path) -> None:
    """All layers with their styles; the content does not depend on when it is written."""
    layers = {
        "service_area": (service_area_layer(study), "Polygon"),
        "transformer_areas": (transformer_area_layer(study), "Polygon"),
        "links": (links_layer(study), "LineString"),
        "meters": (meters, "Point"),
        "sites": (sites_layer(study), "Point"),
        "qa_issues": (qa_layer(study), "Point"),
    }
    with _fixed_date():
        for name, (layer, kind) in layers.items():
            pyogrio.write_dataframe(
                layer, path, layer=name, driver="GPKG", geometry_type=kind, promote_to_multi=False,
                append=False, layer_options={"GEOMETRY_NAME": "geom"}, dataset_options={"VERSION": "1.3"},
            )  # fmt: skip
        pyogrio.write_dataframe(
            style_rows(study), path, layer="layer_styles", driver="GPKG", layer_options={"FID": "id"}
        )


@contextmanager
def _fixed_date() -> Iterator[None]:
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": STAMP})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def service_area_layer(study: Study) -> gpd.GeoDataFrame:
    """The study area: one row per polygon, with counts and the lines every map must carry."""
    area = study.area
    polygons = shapely.get_parts([area.boundary])
    columns = {
        "name": area.name,
        "n_meters_in": area.n_meters_in,
        "n_meters_used": len(area.meters),
        "case_digest": study.case_digest,
        "attribution": "; ".join(area.attributions),
    }
    table = pd.DataFrame(columns, index=range(len(polygons)))
    return gpd.GeoDataFrame(table, geometry=polygons, crs=area.crs)


def sites_layer(study: Study) -> gpd.GeoDataFrame:
    """Built sites of every technology with the meters each one serves."""
    frames = [_built_sites(study, result) for result in study.results]
    columns = ["scenario", "technology", "site_id", "kind", "height_m", "owner", "data_flag", "n_meters_served"]
    table = pd.concat([f for f in frames if len(f)] or frames or [pd.DataFrame(columns=[*columns, "geometry"])])
    return gpd.GeoDataFrame(
        table[[*columns, "geometry"]].reset_index(drop=True), geometry="geometry", crs=study.area.crs
    )


def _built_sites(study: Study, result: StudyResult) -> Any:
    states = meter_states(study, result)
    served = states[states.served].server_id.value_counts()
    sites = result.links.sites[np.asarray(result.plan.built, bool)].sort_values("site_id", kind="stable")
    n_served = sites.site_id.map(served).fillna(0).astype(np.int64)
    return sites.assign(
        scenario=result.scenario, technology=result.technology, n_meters_served=n_served,
        height_m=_rounded(sites.height_m),
    )  # fmt: skip


def links_layer(study: Study) -> gpd.GeoDataFrame:
    """The plan's hops, from each meter to its parent, with hops to the site and margin."""
    frames = [_planned_links(study, result) for result in study.results]
    table = pd.concat(frames, ignore_index=True)
    return gpd.GeoDataFrame(table, geometry="geometry", crs=study.area.crs)


def _planned_links(study: Study, result: StudyResult) -> pd.DataFrame:
    meter, ends = link_lines(study, result)
    routes, deliveries = result.plan.routes, result.deliveries
    ids = np.concatenate(
        [study.area.meters.meter_id.to_numpy(dtype=object), result.links.sites.site_id.to_numpy(dtype=object)]
    )
    parent = np.asarray(routes.parent)[meter]
    table = pd.DataFrame(
        {
            "scenario": result.scenario,
            "technology": result.technology,
            "meter_id": ids[meter],
            "parent_id": ids[parent],
            "parent_kind": np.where(parent >= study.area.n_meters, "site", "meter"),
            "hops": np.asarray(routes.hops)[meter].astype(np.int32),
            "margin_db": _rounded(np.asarray(deliveries.margin_db)[meter]),
            "p_link": _rounded(np.asarray(deliveries.p_link)[meter]),
            "geometry": shapely.linestrings(ends) if len(ends) else np.zeros(0, dtype=object),
        }
    )
    return table.sort_values("meter_id", kind="stable")


def transformer_area_layer(study: Study) -> gpd.GeoDataFrame:
    """Outline of each transformer and its meters, how many they are, and what each technology reads of them.

    Per result two columns: ``p_read_<name>``, mean probability over the usable meters of the worst service, and
    ``served_<name>``, meters served by all services.
    """
    area = study.area
    owner = area.meters.transformer.to_numpy(np.int64)
    known = np.flatnonzero(owner >= 0)
    n_areas = len(area.transformers)
    numbers = np.bincount(owner[known], minlength=n_areas)
    columns: dict[str, Any] = {
        "transformer_id": area.transformers.transformer_id.to_numpy(),
        "rated_kva": area.transformers.rated_kva.to_numpy(),
        "data_flag": area.transformers.data_flag.to_numpy(),
        "n_meters": numbers,
    }
    for result in study.results:
        p, served = _worst_service(result)
        total = np.bincount(owner[known], weights=p[known], minlength=n_areas)
        columns[f"p_read_{slug(study, result)}"] = _rounded(total / np.maximum(numbers, 1))
        columns[f"served_{slug(study, result)}"] = np.bincount(owner[known][served[known]], minlength=n_areas)
    table = pd.DataFrame(columns)
    return gpd.GeoDataFrame(table, geometry=transformer_outlines(study), crs=area.crs)


def _worst_service(result: StudyResult) -> tuple[Array, Array]:
    deliveries = result.deliveries
    return np.asarray(deliveries.p_read_deadline).min(axis=0), np.asarray(np.all(deliveries.served, axis=0))


def transformer_outlines(study: Study) -> Array:
    """(n_transformers,) polygons: the hull of transformer and meters, widened by 12 m."""
    area = study.area
    owner = area.meters.transformer.to_numpy(np.int64)
    known = np.flatnonzero(owner >= 0)
    n_areas = len(area.transformers)
    x = np.concatenate([area.transformers.x_m, area.meters.x_m.to_numpy()[known]])
    y = np.concatenate([area.transformers.y_m, area.meters.y_m.to_numpy()[known]])
    group = np.concatenate([np.arange(n_areas), owner[known]])
    order = np.argsort(group, kind="stable")
    clouds = shapely.multipoints(np.asarray(shapely.points(x[order], y[order])), indices=group[order])
    outlines = shapely.buffer(shapely.convex_hull(clouds), _AROUND_M, quad_segs=4)
    return np.asarray(shapely.set_precision(outlines, 0.01))


def qa_layer(study: Study) -> gpd.GeoDataFrame:
    """Rows of the input that are not used; without geometry where they have no place."""
    listed = study.area.listed.sort_values(["layer", "code", "row"], kind="stable").reset_index(drop=True)
    x, y = listed.x_m.to_numpy(float), listed.y_m.to_numpy(float)
    placed = np.isfinite(x) & np.isfinite(y)
    points = np.full(len(listed), None, dtype=object)
    points[placed] = shapely.points(x[placed], y[placed])
    table = listed.drop(columns=["x_m", "y_m"]).astype({"id": str, "detail": str, "code": str, "layer": str})
    return gpd.GeoDataFrame(table, geometry=points, crs=study.area.crs)


def style_rows(study: Study) -> pd.DataFrame:
    """The table ``layer_styles`` as QGIS reads it: one default style a layer, QML and SLD."""
    rows = [
        {
            "f_table_catalog": "", "f_table_schema": "", "f_table_name": layer, "f_geometry_column": "geom",
            "styleName": "amiplan", "styleQML": qml(layer, kind, rules), "styleSLD": sld(layer, kind, rules),
            "useAsDefault": True, "description": f"amiplan: {layer}", "owner": "amiplan", "ui": "",
            "update_time": STAMP,
        }
        for layer, (kind, rules) in layer_rules(study).items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def layer_rules(study: Study) -> dict[str, tuple[str, tuple[Rule, ...]]]:
    """Kind of symbol and legend rules of every layer."""
    groups = [(r.scenario, r.technology, study.label(r.technology)) for r in study.results]
    services = sorted(set(study.meters.service))
    return {
        "service_area": ("fill", single_rule("Study area", "#5c6775")),
        "transformer_areas": ("fill", single_rule("Transformer area", "#6a4fa3")),
        "links": ("line", group_rules(groups, "line", 0.2)),
        "meters": ("marker", meter_rules(groups, services)),
        "sites": ("marker", group_rules(groups, "square", 3.4)),
        "qa_issues": ("marker", single_rule("Input row not used", "#c1272d", "cross2", 2.6)),
    }
