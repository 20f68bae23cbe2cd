"""Layers of ``study.gpkg``: plain GeoDataFrames in a fixed order, and the styles that QGIS finds beside them."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from ..planner.tables import StudyResult
from .cure_tables import place_table
from .maps import link_lines
from .report_tables import REMEDY_WORDS
from .states import meter_states, site_table, slug
from .study import Study
from .styles import Rule, cure_rules, group_rules, meter_rules, qml, severity_rules, single_rule, sld

Array = NDArray[Any]

_DECIMALS = 6
_AROUND_M = 12.0


def rounded(values: Any) -> Array:
    """Floats to six decimals, without negative zero: what files hold."""
    return np.round(np.asarray(values, dtype=np.float64), _DECIMALS) + 0.0


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
    sites = site_table(result)[np.asarray(result.plan.built, bool)].sort_values("site_id", kind="stable")
    n_served = sites.site_id.map(served).fillna(0).astype(np.int64)
    return sites.assign(
        scenario=result.scenario, technology=result.technology, n_meters_served=n_served,
        height_m=rounded(sites.height_m),
    )  # fmt: skip


def proposed_layer(study: Study) -> gpd.GeoDataFrame:
    """Repeaters, filters and other changes that the computed cures choose, with the meters that each mends."""
    table = place_table(study)
    kinds = {"x_m": np.float64, "y_m": np.float64, "n_meters": np.int64}
    table = table.astype({**{name: str for name in table if name not in kinds}, **kinds})
    points = shapely.points(rounded(table.x_m), rounded(table.y_m))
    return gpd.GeoDataFrame(table.drop(columns=["x_m", "y_m"]), geometry=points, crs=study.area.crs)


def links_layer(study: Study) -> gpd.GeoDataFrame:
    """The plan's hops, from each meter to its parent, with hops to the site and margin."""
    frames = [_planned_links(study, result) for result in study.results]
    table = pd.concat(frames, ignore_index=True)
    return gpd.GeoDataFrame(table, geometry="geometry", crs=study.area.crs)


def _planned_links(study: Study, result: StudyResult) -> pd.DataFrame:
    meter, ends = link_lines(study, result)
    routes, deliveries = result.plan.routes, result.deliveries
    ids = np.concatenate(
        [study.area.meters.meter_id.to_numpy(dtype=object), site_table(result).site_id.to_numpy(dtype=object)]
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
            "margin_db": rounded(np.asarray(deliveries.margin_db)[meter]),
            "p_link": rounded(np.asarray(deliveries.p_link)[meter]),
            "geometry": shapely.linestrings(ends) if len(ends) else np.zeros(0, dtype=object),
        }
    )
    return table.sort_values("meter_id", kind="stable")


def transformer_area_layer(study: Study) -> gpd.GeoDataFrame:
    """Outline of each transformer and its meters, how many they are, and what each technology reads of them.

    Per result two columns: ``p_read_<name>``, mean probability over the usable meters of the worst service, and
    ``served_<name>``, meters served by all services; for power lines also those of `_line_columns`.
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
        columns[f"p_read_{slug(study, result)}"] = rounded(total / np.maximum(numbers, 1))
        columns[f"served_{slug(study, result)}"] = np.bincount(owner[known][served[known]], minlength=n_areas)
        columns |= _line_columns(slug(study, result), result, columns["transformer_id"])
    table = pd.DataFrame(columns)
    return gpd.GeoDataFrame(table, geometry=transformer_outlines(study), crs=area.crs)


AREA_FIGURES = {
    "low": "read_low",
    "high": "read_high",
    "direct": "direct_ratio",
    "no_route": "no_route_ratio",
    "last_read_s": "read_reached_s",
    "repeater": "relay_id",
    "behind": "relay_dependants",
}
"""Columns of the layer to those of ``areas.csv``; the layer's carry the name of the result behind them."""


def _line_columns(name: str, result: StudyResult, transformer_id: Array) -> dict[str, Any]:
    """What a technology on power lines does in each area: interval of the share read, hops, time, busiest repeater."""
    if result.areas is None:
        return {}
    rows = result.areas[result.areas["site_id"] != ""].set_index("site_id").loc[list(transformer_id.astype(str))]
    values = {f"{own}_{name}": rows[figure].to_numpy() for own, figure in AREA_FIGURES.items()}
    return {own: rounded(value) if value.dtype.kind == "f" else value for own, value in values.items()}


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
    """What the audit found: rows not used (severity ``listed``) and oddities of used ones (``note``).

    A row without a place has no geometry.
    """
    found = [study.area.listed.assign(severity="listed"), study.area.qa]
    together = pd.concat([part for part in found if len(part)] or found[:1], ignore_index=True)
    listed = together.sort_values(["severity", "layer", "code", "row"], kind="stable").reset_index(drop=True)
    x, y = listed.x_m.to_numpy(float), listed.y_m.to_numpy(float)
    placed = np.isfinite(x) & np.isfinite(y)
    points = np.full(len(listed), None, dtype=object)
    points[placed] = shapely.points(x[placed], y[placed])
    table = listed.drop(columns=["x_m", "y_m"]).astype(
        {"id": str, "detail": str, "code": str, "layer": str, "severity": str}
    )
    return gpd.GeoDataFrame(table, geometry=points, crs=study.area.crs)


def style_rows(study: Study, stamp: str) -> pd.DataFrame:
    """The table ``layer_styles`` as QGIS reads it: one default style a layer, QML and SLD; ``stamp`` is its date."""
    rows = [
        {
            "f_table_catalog": "", "f_table_schema": "", "f_table_name": layer, "f_geometry_column": "geom",
            "styleName": "amiplan", "styleQML": qml(layer, kind, rules), "styleSLD": sld(layer, kind, rules),
            "useAsDefault": True, "description": f"amiplan: {layer}", "owner": "amiplan", "ui": "",
            "update_time": stamp,
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
        "sites_proposed": ("marker", cure_rules(REMEDY_WORDS)),
        "qa_issues": ("marker", severity_rules()),
    }
