"""The result folder: tables, layers, provenance and report, complete or not at all."""

from __future__ import annotations

import errno
import json
import os
import re
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

from ..planner.area_rows import AREA_COLUMNS
from ..planner.faults import FAULT_COLUMNS
from ..planner.feeders import COLUMNS as FEEDER_COLUMNS
from ..planner.severities import SEVERITY_COLUMNS
from .cure_tables import cure_table
from .layers import (
    links_layer,
    proposed_layer,
    qa_layer,
    rounded,
    service_area_layer,
    sites_layer,
    style_rows,
    transformer_area_layer,
)
from .report import write_report
from .report_tables import standings
from .study import KPI_COLUMNS, METER_COLUMNS, Study

COST_COLUMNS = (
    "scenario", "technology", "year", "category", "category_label", "item_id", "kind", "quantity", "unit",
    "unit_price", "amount", "present_value", "currency",
)  # fmt: skip
FILES = (
    "kpis.csv",
    "cost.csv",
    "areas.csv",
    "severities.csv",
    "faults.csv",
    "cures.csv",
    "meters.parquet",
    "fleet.parquet",
    "powerline.parquet",
    "study.gpkg",
    "report.html",
    "run.json",
)
"""What a result folder holds, in the order of writing; ``run.json`` last, so that its presence says complete."""
FULL_BYTES = 1e6
"""A disk with less room is full: no layer fits."""
STAMP = "2000-01-01T00:00:00.000Z"
"""Stands wherever a file format demands a time of writing, so that equal studies give equal content."""


def write_results(study: Study, folder: str | Path) -> None:
    """Write the whole result folder of a study, or leave everything as it was.

    Parameters
    ----------
    study : the study, run.
    folder : folder to make; its parent must exist. In an earlier result folder the result files are replaced, and
        other files left alone.

    Raises ValueError where the folder holds files but no ``run.json`` (it is somebody else's), its parent is missing,
    or counts do not add up, and OSError where the system does not let it write. Copies that a killed process left
    unfinished beside the folder are removed.
    """
    target = Path(folder)
    if target.exists() and not _is_ours(target):
        raise ValueError(f"{target} exists and is not a result folder: choose another")
    if not target.resolve().parent.is_dir():
        raise ValueError(f"{target.resolve().parent} is not a folder: make it first")
    _remove_unfinished(target.resolve().parent, target.name)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.resolve().parent))
    try:
        _write_all(study, partial)
        _move(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_unfinished(parent: Path, name: str) -> None:
    """Take away what a process that was killed while it wrote the folder of this name left beside it."""
    unfinished = re.compile(rf"\.{re.escape(name)}\.[a-z0-9_]+\.partial")
    for one in parent.iterdir():
        if unfinished.fullmatch(one.name) and one.is_dir():
            shutil.rmtree(one, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and ((folder / "run.json").is_file() or not any(folder.iterdir()))


def _write_all(study: Study, folder: Path) -> None:
    write_csv(_ranked(study, study.kpis)[list(KPI_COLUMNS)], folder / "kpis.csv")
    cost = _ranked(study, study.cost, "year", "category", "item_id", "kind")
    write_csv(cost[list(COST_COLUMNS)], folder / "cost.csv")
    write_csv(area_table(study), folder / "areas.csv")
    write_csv(study.severities[list(SEVERITY_COLUMNS)], folder / "severities.csv")
    write_csv(study.faults[list(FAULT_COLUMNS)], folder / "faults.csv")
    write_csv(cure_table(study), folder / "cures.csv")
    meters = meter_table(study)
    meters.to_parquet(folder / "meters.parquet", index=False, compression="zstd")
    fleet_table(study).to_parquet(folder / "fleet.parquet", index=False, compression="zstd")
    powerline_table(study).to_parquet(folder / "powerline.parquet", index=False, compression="zstd")
    write_geopackage(study, meters, folder / "study.gpkg")
    write_report(study, folder / "report.html")
    text = json.dumps(run_record(study), indent=2, sort_keys=True, ensure_ascii=False)
    (folder / "run.json").write_text(text + "\n", encoding="utf-8", newline="\n")


def area_table(study: Study) -> pd.DataFrame:
    """What each technology on power lines does in each transformer area; no rows where nothing runs on wires."""
    found = [result.areas for result in study.results if result.areas is not None]
    return (
        pd.concat(found, ignore_index=True)[list(AREA_COLUMNS)] if found else pd.DataFrame(columns=list(AREA_COLUMNS))
    )


def powerline_table(study: Study) -> pd.DataFrame:
    """The line between every meter and its concentrator, first replication; no rows where nothing runs on wires."""
    found = [
        result.feeders.meters.assign(scenario=result.scenario, technology=result.technology)
        for result in study.results
        if result.feeders is not None
    ]
    columns = ["scenario", "technology", *FEEDER_COLUMNS]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


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
    rows = rows.assign(**{name: rounded(rows[name]) for name in floats})
    kinds = {"n_servers": np.float64, "hops": np.int32, "served": np.bool_}
    return gpd.GeoDataFrame(rows.astype(kinds), geometry="geometry", crs=study.area.crs)


def fleet_table(study: Study) -> pd.DataFrame:
    """One row per usable meter, sorted by id: ``meter_id``, ``key`` (uint64, what its draws hang on) and ``kind``.

    With the seed, the session settings and the last simulated moment of ``run.json`` it is all that `amiplan serve`
    needs to let these very meters answer.
    """
    meters = study.area.meters
    columns = {
        "meter_id": meters["meter_id"].astype(str).to_numpy(object),
        "key": meters["key"].to_numpy(np.uint64),
        "kind": meters["kind"].astype(str).to_numpy(object),
    }
    return pd.DataFrame(columns).sort_values(["meter_id", "key"], kind="stable").reset_index(drop=True)


def run_record(study: Study) -> dict[str, Any]:
    """What was run on what: version, digest, seed, inputs with digests, counts, technologies, warnings."""
    area = study.area
    return {
        "title": study.title,
        "case": study.case_name,
        "case_digest": study.case_digest,
        "version": study.version,
        "seed": study.seed,
        "simulated_until": study.simulated_until,
        "session": dict(study.session),
        "service": study.service_text,
        "power_line": study.line_text,
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
                **_longest_link(study, result.technology),
            }
            for s, result in zip(standings(study), study.results, strict=True)
        ],
        "attributions": list(area.attributions),
        "notes": list(area.notes),
        "warnings": list(study.warnings),
        "limits": list(study.limits),
    }  # fmt: skip


def _longest_link(study: Study, technology: str) -> dict[str, float]:
    """``max_link_length_m`` of a technology on cables: which pairs the study looked at; nothing for others."""
    rows = study.assumptions
    rows = rows[(rows["group"] == f"technologies.{technology}") & (rows["name"] == "max_link_length_m")]
    return {"max_link_length_m": float(rows["value"].iloc[0])} if len(rows) else {}


def write_geopackage(study: Study, meters: gpd.GeoDataFrame, path: Path) -> None:
    """All layers with their styles; the content does not depend on when it is written."""
    layers = {
        "service_area": (service_area_layer(study), "Polygon"),
        "transformer_areas": (transformer_area_layer(study), "Polygon"),
        "links": (links_layer(study), "LineString"),
        "meters": (meters, "Point"),
        "sites": (sites_layer(study), "Point"),
        "sites_proposed": (proposed_layer(study), "Point"),
        "qa_issues": (qa_layer(study), "Point"),
    }
    try:
        _write_layers(study, layers, path)
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        full = shutil.disk_usage(path.parent).free < FULL_BYTES  # GDAL names a symptom, not the reason
        code, reason = (errno.ENOSPC, os.strerror(errno.ENOSPC)) if full else (errno.EIO, str(error))
        raise OSError(code, reason) from error


def _write_layers(study: Study, layers: dict[str, tuple[gpd.GeoDataFrame, str]], path: Path) -> None:
    with _fixed_date():
        for name, (layer, kind) in layers.items():
            pyogrio.write_dataframe(
                layer, path, layer=name, driver="GPKG", geometry_type=kind, promote_to_multi=False,
                append=False, layer_options={"GEOMETRY_NAME": "geom"}, dataset_options={"VERSION": "1.3"},
            )  # fmt: skip
        pyogrio.write_dataframe(
            style_rows(study, STAMP), path, layer="layer_styles", driver="GPKG", layer_options={"FID": "id"}
        )


@contextmanager
def _fixed_date() -> Iterator[None]:
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": STAMP})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
