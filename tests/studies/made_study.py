"""A made-up study, small and quick: streets of houses, four technologies, plausible fates. Nothing here is physics."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from amiplan.channels.draws import text_key
from amiplan.channels.paths import RadioPaths
from amiplan.channels.technology import Reason, Routes
from amiplan.gis.area import LISTED_COLUMNS, CandidateSites, FeederNetwork, InputSource, ServiceArea
from amiplan.gis.terrain import Terrain
from amiplan.planner.packet import TIER_COLUMNS
from amiplan.planner.tables import ByReplication, Deliveries, Links, Plan, StudyResult
from amiplan.studies.study import KPI_COLUMNS, METER_COLUMNS, Study

CRS = "EPSG:32632"
EAST, NORTH = 690_000.0, 5_537_000.0
SERVICES = ("daily_profile", "register_read")
LABELS = {
    "g3_plc": "G3-PLC (CENELEC A)",
    "wisun_fan": "Wi-SUN FAN (868 MHz mesh)",
    "lorawan": "LoRaWAN (EU868)",
    "nb_iot": "NB-IoT",
}
FATES = {
    "g3_plc": (420.0, (Reason.ATTENUATION, Reason.NOISE, Reason.CROSS_PHASE)),
    "wisun_fan": (520.0, (Reason.NO_NEIGHBOUR, Reason.HOP_LIMIT)),
    "lorawan": (800.0, (Reason.BUILDING, Reason.BUDGET, Reason.TERRAIN)),
    "nb_iot": (1500.0, (Reason.BUILDING, Reason.NO_CELL)),
}
COST = {"g3_plc": (70.0, 2.0), "wisun_fan": (82.0, 2.4), "lorawan": (64.0, 3.1), "nb_iot": (75.0, 5.0)}


def made_study(
    n_meters: int = 320,
    *,
    n_listed: int = 4,
    buildings: bool = True,
    roads: bool = True,
    cables: bool = True,
    technologies: tuple[str, ...] = tuple(FATES),
    dead: tuple[str, ...] = (),
    services: tuple[str, ...] = SERVICES,
    seed: int = 7,
) -> Study:
    """A study of ``n_meters`` usable and ``n_listed`` listed meters; the ``dead`` technologies serve nobody."""
    rng = np.random.default_rng(seed)
    area = made_area(n_meters, n_listed, buildings, roads, cables, rng)
    candidates = made_candidates()
    results = tuple(made_result(name, area, candidates, services, name in dead, rng) for name in technologies)
    return Study(
        title="Made-up village",
        case_name="made_up",
        case_digest="3f2a9c51d07e4b6688aa",
        version="0.1.0",
        seed=seed,
        service_text="Each meter delivers the 96-value day profile and a register by 08:00 the next morning, "
        "with a probability of at least 95 %.",
        area=area,
        candidates=candidates,
        results=results,
        meters=gpd.GeoDataFrame(pd.concat([r.meters for r in results], ignore_index=True), crs=CRS),
        kpis=pd.concat([r.kpis for r in results], ignore_index=True),
        cost=pd.concat([r.cost for r in results], ignore_index=True),
        tco=pd.DataFrame([_tco_row(r, area.n_meters_in) for r in results]),
        assumptions=_assumptions(technologies),
        sessions=_sessions(services),
        tiers=_tiers(technologies),
        warnings=("No building heights: every roof is assumed at 8 m.",),
        limits=("Indoor wiring behind the meter is not modelled.", "Foliage does not change with the season."),
        technology_labels=dict(LABELS),
    )


def made_area(
    n_meters: int, n_listed: int, buildings: bool, roads: bool, cables: bool, rng: np.random.Generator
) -> ServiceArea:
    n_streets = 8
    street = np.sort(rng.integers(0, n_streets, n_meters))
    along = rng.uniform(20.0, 620.0, n_meters).round()
    angle = np.linspace(0.0, 2.0 * np.pi, n_streets, endpoint=False) + 0.2
    origin = np.column_stack([EAST + 380.0 * np.cos(angle), NORTH + 300.0 * np.sin(angle)])
    heading = np.column_stack([np.cos(angle + 0.5), np.sin(angle + 0.5)])
    aside = np.column_stack([-heading[:, 1], heading[:, 0]])
    side = np.where(rng.random(n_meters) < 0.5, -14.0, 14.0)
    place = origin[street] + along[:, None] * heading[street] + side[:, None] * aside[street]
    meters = gpd.GeoDataFrame(
        {
            "meter_id": [f"M{i:05d}" for i in range(n_meters)],
            "key": np.array([text_key(f"M{i:05d}") for i in range(n_meters)], np.uint64),
            "x_m": place[:, 0],
            "y_m": place[:, 1],
            "kind": "house",
            "building": np.arange(n_meters) if buildings else -1,
            "transformer": street,
            "feeder_node": np.arange(n_meters) + n_streets if cables else -1,
            "height_m": 1.5,
            "clutter": np.int8(1),
            "phases": np.where(rng.random(n_meters) < 0.4, 1, 3).astype(np.int8),
            "data_flag": np.where(rng.random(n_meters) < 0.3, "transformer", ""),
        },
        geometry=shapely.points(place),
        crs=CRS,
    )
    transformers = gpd.GeoDataFrame(
        {
            "transformer_id": [f"T{i}" for i in range(n_streets)],
            "key": np.array([text_key(f"T{i}") for i in range(n_streets)], np.uint64),
            "x_m": origin[:, 0],
            "y_m": origin[:, 1],
            "rated_kva": 400.0,
            "n_meters": np.bincount(street, minlength=n_streets),
            "data_flag": np.where(np.arange(n_streets) < 5, "inferred", ""),
        },
        geometry=shapely.points(origin),
        crs=CRS,
    )
    footprints = shapely.box(place[:, 0] - 6, place[:, 1] - 4, place[:, 0] + 6, place[:, 1] + 4)
    lines = shapely.linestrings(np.stack([origin - 30.0 * heading, origin + 640.0 * heading], axis=1))
    hull = shapely.buffer(shapely.convex_hull(shapely.multipoints(place)), 150.0)
    return ServiceArea(
        name="Made-up village",
        crs=CRS,
        boundary=hull,
        meters=meters,
        transformers=transformers,
        feeders=_feeders(origin, place, street, along, cables),
        buildings=gpd.GeoDataFrame(geometry=list(footprints) if buildings else [], crs=CRS),
        roads=gpd.GeoDataFrame(geometry=list(lines) if roads else [], crs=CRS),
        landuse=gpd.GeoDataFrame({"clutter": np.zeros(0, np.int8)}, geometry=[], crs=CRS),
        terrain=Terrain(np.zeros((0, 0)), 0.0, 0.0, 0.0, 0),
        listed=_listed(n_listed),
        n_meters_in=n_meters + n_listed,
        sources=(
            InputSource(
                "meters", "meters.csv", "", "ab12cd34ef56", CRS, n_meters + n_listed, n_meters, n_listed, 0, ""
            ),
            InputSource("buildings", "osm.gpkg", "buildings", "9911aa22bb33", CRS, 410, 400, 0, 10, "ODbL 1.0"),
        ),
        notes=("62 % of the transformers are inferred from demand and reach.", "Flat open ground is assumed."),
        attributions=("© OpenStreetMap contributors",),
    )


def _feeders(origin, place, street, along, cables) -> FeederNetwork:
    n_streets = len(origin)
    node = np.vstack([origin, place])
    order = np.lexsort((along, street)) + n_streets
    first = np.r_[True, np.diff(street[order - n_streets]) > 0]
    before = np.where(first, street[order - n_streets], np.r_[0, order[:-1]])
    keep = slice(None) if cables else slice(0, 0)
    start, end = before[keep], order[keep]
    ends = np.stack([node[start], node[end]], axis=1)
    geometry = shapely.linestrings(ends)
    return FeederNetwork(
        node_x_m=node[:, 0],
        node_y_m=node[:, 1],
        node_area=np.r_[np.arange(n_streets), street].astype(np.int32),
        edge_from=start.astype(np.int32),
        edge_to=end.astype(np.int32),
        edge_length_m=shapely.length(geometry),
        edge_cable=np.zeros(len(start), np.int16),
        edge_inferred=np.ones(len(start), bool),
        edge_geometry=np.asarray(geometry, dtype=object).reshape(len(start)),
        cables=("NAYY 4x150",),
        transformer_node=np.arange(n_streets, dtype=np.int32),
    )


def _listed(n_listed: int) -> pd.DataFrame:
    codes = ["zero_zero", "duplicate_id", "outside_area", "no_place"]
    rows = [
        ("meters", i, f"L{i}", codes[i % 4], "no usable place", np.nan if i % 2 else EAST + 10.0 * i, NORTH)
        for i in range(n_listed)
    ]
    return pd.DataFrame(rows, columns=list(LISTED_COLUMNS))


def made_candidates() -> CandidateSites:
    def sites(prefix: str, kind: str, x, y, height: float, owner: str) -> gpd.GeoDataFrame:
        n = len(x)
        columns = {
            "site_id": [f"{prefix}{i}" for i in range(n)],
            "key": np.array([text_key(f"{prefix}{i}") for i in range(n)], np.uint64),
            "kind": kind,
            "x_m": x,
            "y_m": y,
            "height_m": height,
            "clutter": np.int8(1),
            "owner": owner,
            "data_flag": "assumed",
        }
        return gpd.GeoDataFrame(columns, geometry=gpd.points_from_xy(x, y), crs=CRS)

    ring = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    poles = sites("P", "pole", EAST + 500 * np.cos(ring), NORTH + 420 * np.sin(ring), 10.0, "own")
    cells = sites("C", "cell", np.array([EAST - 900.0]), np.array([NORTH + 200.0]), 30.0, "operator")
    return CandidateSites(poles, cells, ("Cells are assumed on a grid.",))


def _sites_of(name: str, area: ServiceArea, candidates: CandidateSites) -> gpd.GeoDataFrame:
    if name == "nb_iot":
        return candidates.cells
    if name != "g3_plc":
        return candidates.sites
    return area.transformers.assign(kind="transformer", owner="own")


def made_result(name, area, candidates, services, dead, rng) -> StudyResult:
    sites = _sites_of(name, area, candidates)
    reach, reasons = FATES[name]
    n, n_services, n_sites = area.n_meters, len(services), len(sites)
    built = np.ones(n_sites, bool) if name in ("g3_plc", "nb_iot") else np.arange(n_sites) % 3 == 0
    at = np.column_stack([area.meters.x_m, area.meters.y_m])
    away = (
        np.hypot(*(at[:, None, :] - np.column_stack([sites.x_m, sites.y_m])[None, :, :]).transpose(2, 0, 1))
        + 1e9 * ~built
    )
    server = away.argmin(axis=1).astype(np.int32)
    away = away[np.arange(n), server] * rng.uniform(0.7, 1.3, n)
    p_one = np.zeros(n) if dead else 1.0 / (1.0 + (away / reach) ** 14)
    p = np.stack([p_one ** (1 + 0.2 * s) for s in range(n_services)])
    served = p >= 0.95
    reason = np.where(served, 0, np.array(reasons)[rng.integers(0, len(reasons), n)]).astype(np.int8)
    linked = p_one > 1e-3
    deliveries = Deliveries(
        services=services,
        p_read_deadline=p,
        p_read_low=0.97 * p,
        p_read_high=np.minimum(1.0, 1.01 * p),
        latency_p50_s=np.where(p > 0, 12.0 + away / 50, np.inf),
        latency_p95_s=np.where(p > 0, 50.0 + away / 10, np.inf),
        attempts=1.0 + (1.0 - p),
        reason=reason,
        served=served,
        n_served_resampled=np.array([_counts(p + rng.normal(0, 0.01, n) >= 0.95) for _ in range(5)]),
        margin_db=20.0 - away / 40.0,
        p_link=p_one,
        server=np.where(linked, server, -1),
        hops=np.where(linked, 1 + (away > 250), 0).astype(np.int16),
        n_servers=linked.astype(np.int16),
        out_of_range_ratio=0.07,
        by_replication=ByReplication(
            read=p.sum(axis=1)[None, :],
            attempts=(2.0 - p).sum(axis=1)[None, :],
            n_routed=linked.sum()[None],
            hops=np.where(linked, 1 + (away > 250), 0).sum()[None],
            most_hops=np.where(linked, 1 + (away > 250), 0).max(initial=0)[None],
            out_of_range=np.array([0.07]),
        ),
    )
    links = np.arange(n, dtype=np.int32)
    paths = RadioPaths(
        from_node=links,
        to_node=server + n,
        distance_m=np.maximum(away, 1.0),
        terrain_m=np.zeros((n, 2), np.float32),
        node_height_m=np.full(n + n_sites, 1.5),
        node_clutter=np.zeros(n + n_sites, np.int8),
        node_enclosure=np.zeros(n + n_sites, np.int8),
        node_key=np.arange(n + n_sites, dtype=np.uint64),
        n_meters=n,
        n_sites=n_sites,
    )
    parent = np.where(linked, server + n, -1)
    relay = linked & (deliveries.hops > 1) & (np.arange(n) > 0)
    parent = np.where(relay, np.arange(n) - 1, parent).astype(np.int32)
    routes = Routes(
        server=deliveries.server.astype(np.int32),
        parent=parent,
        link=np.where(linked, links, -1).astype(np.int64),
        hops=deliveries.hops,
        receiver_start=np.arange(n + 1),
        receiver_link=links.astype(np.int64),
        reason=reason[0],
    )
    meters = _meter_rows(name, area, sites, services, deliveries)
    return StudyResult(
        technology=name,
        scenario="typical",
        links=Links(paths, sites),
        plan=Plan(built, routes, int(served.all(axis=0).sum()), 0.0, f"{int(built.sum())} sites built."),
        deliveries=deliveries,
        meters=meters,
        kpis=_kpi_rows(name, services, deliveries, area.n_meters_in),
        cost=_cost_rows(name, area.n_meters_in),
        quantities=pd.DataFrame(),
    )


def _meter_rows(name, area, sites, services, d) -> gpd.GeoDataFrame:
    labels = np.array([Reason(code).label for code in range(len(Reason))], dtype=object)
    labels[Reason.NONE] = ""
    site_id = np.append(sites["site_id" if "site_id" in sites else "transformer_id"].to_numpy(object), "")
    frames = []
    for s, service in enumerate(services):
        columns = {
            "meter_id": area.meters.meter_id.to_numpy(),
            "server_id": site_id[d.server],
            "n_servers": d.n_servers,
            "hops": d.hops,
            "margin_db": d.margin_db,
            "p_link": d.p_link,
            "p_read_deadline": d.p_read_deadline[s],
            "served": d.served[s],
            "latency_p50_s": d.latency_p50_s[s],
            "latency_p95_s": d.latency_p95_s[s],
            "reason": labels[d.reason[s]],
            "remedy": np.where(d.served[s], "", "repeater"),
            "data_flag": area.meters.data_flag.to_numpy(),
        }
        used = gpd.GeoDataFrame(columns, geometry=area.meters.geometry.values, crs=CRS)
        lost = area.listed
        listed = gpd.GeoDataFrame(
            {
                "meter_id": lost.id.to_numpy(),
                "server_id": "",
                "n_servers": 0,
                "hops": 0,
                "margin_db": -np.inf,
                "p_link": 0.0,
                "p_read_deadline": 0.0,
                "served": False,
                "latency_p50_s": np.inf,
                "latency_p95_s": np.inf,
                "reason": "data_missing",
                "remedy": "manual_read",
                "data_flag": lost.code.to_numpy(),
            },
            geometry=[shapely.Point(x, y) if np.isfinite(x) else None for x, y in zip(lost.x_m, lost.y_m, strict=True)],
            crs=CRS,
        )
        both = pd.concat([used, listed], ignore_index=True) if len(lost) else used
        frames.append(both.assign(scenario="typical", technology=name, service=service))
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True)[list(METER_COLUMNS)], crs=CRS)


def _kpi_rows(name, services, d, n_in) -> pd.DataFrame:
    rows = []
    for s, service in enumerate(services):
        served = d.n_served_resampled[:, s] / n_in
        rows.append((name, service, "meters_served_ratio", d.served[s].sum() / n_in, *_interval(served), "1", n_in))
        rows.append((name, service, "latency_p95", 61.5, 60.0, 66.0, "s", n_in))
    table = pd.DataFrame(rows, columns=[c for c in KPI_COLUMNS if c != "scenario"])
    return table.assign(scenario="typical")[list(KPI_COLUMNS)]


def _counts(served):
    return [*served.sum(axis=1), served.all(axis=0).sum()]


def _interval(values):
    return np.quantile(values, 0.1), np.quantile(values, 0.9)


def _cost_rows(name: str, n_in: int) -> pd.DataFrame:
    unit, yearly = COST[name]
    rows = [
        (0, 1, "Meter", "meter_1ph", "capex", n_in, "meter", 55.0),
        (0, 2, "Communication module", f"mod_{name}", "capex", n_in, "meter", unit - 55.0),
        (0, 4, "Concentrators, gateways, collectors", f"dc_{name}", "capex", 8, "site", 450.0),
        *[(year, 10, "Tariff and backhaul", f"sim_{name}", "opex", n_in, "meter_yr", yearly) for year in range(1, 16)],
        (10, 19, "Renewals", f"mod_{name}", "renewal", n_in // 4, "meter", unit - 50.0),
        (15, 26, "Residual value", f"mod_{name}", "residual", n_in, "meter", -2.0),
    ]
    table = pd.DataFrame(
        rows, columns=["year", "category", "category_label", "item_id", "kind", "quantity", "unit", "unit_price"]
    )
    amount = table.quantity * table.unit_price
    return table.assign(
        scenario="typical",
        technology=name,
        amount=amount,
        present_value=amount / 1.05**table.year,
        currency="EUR",
    )


def _tco_row(result: StudyResult, n_in: int) -> dict[str, object]:
    by_kind = result.cost.groupby("kind").present_value.sum()
    tco = float(by_kind.sum())
    n_served = int(result.deliveries.served.all(axis=0).sum())
    return {
        "scenario": "typical",
        "technology": result.technology,
        "capex": by_kind["capex"],
        "opex_present_value": by_kind["opex"],
        "renewals_present_value": by_kind["renewal"],
        "residual_present_value": by_kind["residual"],
        "tco": tco,
        "eac_per_meter": tco * 0.0963 / n_in,
        "n_meters": n_in,
        "n_served": n_served,
        "served_ratio": n_served / n_in,
        "currency": "EUR",
        "evidence_a": 0.5,
        "evidence_b": 0.2,
        "evidence_c": 0.3,
        "evidence_user": 0.0,
    }


def _assumptions(technologies: tuple[str, ...]) -> pd.DataFrame:
    rows = [
        ("siting", "target_ratio", 0.985, "1", "Share of meters the siting aims at", "case file", "A", "user"),
        ("area", "dwelling_area_m2", 90.0, "m²", "Floor area per dwelling", "census", "C", "inferred"),
        *[
            (f"technologies.{t}", "tx_power", 14, "dBm", "Transmit power", "standard, table 1", "A", "default")
            for t in technologies
        ],
    ]
    names = ["group", "name", "value", "unit", "meaning", "source", "confidence", "origin"]
    return pd.DataFrame({column: [row[i] for row in rows] for i, column in enumerate(names)})


def _sessions(services: tuple[str, ...]) -> pd.DataFrame:
    rows = [
        (service, policy, leg, direction, size)
        for service in services
        for policy in ("pull", "push")
        for leg, direction, size in (("get_request", "down", 49), ("get_response", "up", 438))
    ]
    return pd.DataFrame(rows, columns=["service", "policy", "leg", "direction", "bytes"])


def _tiers(technologies: tuple[str, ...]) -> pd.DataFrame:
    rows = [
        (t, "T0", 40, 0.625, "register", 40, 0.981, 0.975, -0.006, 0.047, 40.2, 41.0, 4310, 127, 118, 1)
        for t in technologies[:1]
    ]
    return pd.DataFrame(rows, columns=list(TIER_COLUMNS))
