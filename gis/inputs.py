"""What the ``[area]`` section of a case file may say: layers, terrain, and every number of every inference rule."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any


def rule(
    default: Any,
    unit: str,
    meaning: str,
    source: str,
    *,
    confidence: str = "C",
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A field of ``InferenceRules``: default, unit, meaning, source and inclusive limits in one place.

    confidence
        A: read in the source; B: well known, to be checked; C: uncertain, a choice of ours.
    """
    notes = {
        "unit": unit,
        "meaning": meaning,
        "source": source,
        "confidence": confidence,
        "minimum": minimum,
        "maximum": maximum,
    }
    return field(default=default, metadata=notes)


def told_path(path: str) -> str:
    """A path as result files tell it: as the case file gives it where that is relative, else the file name alone.

    So results are equal between clones and tell nothing about the user's disk.

    >>> told_path("maps/../a.gpkg"), told_path("/home/me/a.gpkg"), told_path("C:/gis/a.gpkg")
    ('maps/../a.gpkg', 'a.gpkg', 'a.gpkg')
    """
    windows = PureWindowsPath(path)
    is_absolute = PurePosixPath(path).is_absolute() or bool(windows.drive)
    return windows.name if is_absolute else path.replace("\\", "/")


@dataclass(frozen=True)
class LayerInput:
    """One layer of the user.

    path : file, relative to the case file: GeoPackage, Shapefile, GeoJSON, GeoParquet, KML, CSV, .osm.pbf or .osm.gz.
    layer : layer within the file; may be left out where there is only one.
    crs : overrides or supplies the CRS, such as ``"EPSG:25832"``; needed for CSV and wherever the file has none.
    columns : our column name to the user's, such as ``{meter_id = "ZPNR"}``.
    x, y : coordinate columns of a CSV (longitude and latitude, or easting and northing).
    licence, attribution : as they must be told; the attribution stands on every map.
    """

    path: str
    layer: str | None = None
    crs: str | None = None
    columns: dict[str, str] = field(default_factory=dict)
    x: str | None = None
    y: str | None = None
    licence: str = ""
    attribution: str = ""

    @property
    def shown_path(self) -> str:
        """The path as results tell it: see ``told_path``."""
        return told_path(self.path)


@dataclass(frozen=True)
class TerrainInput:
    """An elevation grid: GeoTIFF or .hgt.

    vertical_unit : ``"m"`` or ``"ft"``; needed where the file does not say it. crs : where the file has none.
    """

    path: str
    vertical_unit: str | None = None
    crs: str | None = None
    licence: str = ""
    attribution: str = ""

    @property
    def shown_path(self) -> str:
        """The path as results tell it: see ``told_path``."""
        return told_path(self.path)


_OURS = "a choice of this project, to be replaced by the user's own planning rule"
_MICRO = "order of the German census of buildings and dwellings 2022 for rural districts, rounded"


@dataclass(frozen=True)
class InferenceRules:
    """Every number used where the input is silent. All can be set under ``[area.rules]``."""

    # meters from buildings
    outbuilding_area_m2: float = rule(
        50.0,
        "m2",
        "buildings without type or address below this footprint hold no dwelling",
        _OURS,
        minimum=0.0,
        maximum=10000.0,
    )
    barn_area_m2: float = rule(
        300.0,
        "m2",
        "outside residential land, untyped buildings without address above this footprint hold no dwelling",
        _OURS,
        minimum=0.0,
        maximum=1000000.0,
    )
    dwelling_area_m2: float = rule(
        130.0,
        "m2",
        "floor area of one dwelling in a house, stairs and walls excluded",
        _MICRO,
        minimum=20.0,
        maximum=1000.0,
    )
    usable_ratio: float = rule(
        0.5,
        "1",
        "share of footprint times levels that is dwelling floor area; attached garages are in the footprint",
        _OURS,
        minimum=0.05,
        maximum=1.0,
    )
    max_dwellings: int = rule(
        60,
        "1",
        "dwellings at most in a building that is no block of flats and tells no levels",
        "bounds a hall mapped inside residential land",
        minimum=1,
        maximum=10000,
    )
    residential_levels: float = rule(
        2.0, "1", "levels of a dwelling house without a level tag", _OURS, minimum=1.0, maximum=60.0
    )
    apartment_levels: float = rule(
        3.0, "1", "levels of a block of flats without a level tag", _OURS, minimum=1.0, maximum=60.0
    )
    urban_levels: float = rule(
        4.0,
        "1",
        "least levels of a lived-in or commercial building without a level tag where the ground is built on as in town",
        _OURS + "; the share is town_cover_ratio",
        minimum=1.0,
        maximum=60.0,
    )
    neighbour_levels_count: int = rule(
        3,
        "1",
        "that many neighbours with a level tag decide by their median, before any default",
        _OURS,
        minimum=1,
        maximum=1000,
    )
    neighbour_levels_reach_m: float = rule(
        150.0, "m", "how far such neighbours stand at most; 0 switches the rule off", _OURS, minimum=0.0, maximum=5000.0
    )
    other_levels: float = rule(
        1.0, "1", "levels of any other building without a level tag", _OURS, minimum=1.0, maximum=60.0
    )
    storey_height_m: float = rule(3.0, "m", "height of one level", _OURS, confidence="B", minimum=2.0, maximum=6.0)
    address_snap_m: float = rule(
        20.0,
        "m",
        "an address outside every building belongs to the nearest one within this distance",
        _OURS,
        minimum=0.0,
        maximum=500.0,
    )
    persons_per_dwelling: float = rule(
        2.0,
        "1",
        "turns a head count per cell into dwellings",
        "Destatis, average household size in Germany 2022: 2.03",
        confidence="B",
        minimum=0.5,
        maximum=10.0,
    )
    # the meter itself
    meter_height_m: float = rule(
        1.5,
        "m",
        "antenna of a meter above its floor",
        "customary receiver height of the path-loss models used; meter cabinet at chest height",
        confidence="B",
        minimum=0.1,
        maximum=100.0,
    )
    dwelling_phases: int = rule(
        1,
        "1",
        "mains phases a dwelling's meter talks over (1 or 3)",
        "single-phase coupling assumed",
        minimum=1,
        maximum=3,
    )
    commercial_phases: int = rule(
        3,
        "1",
        "mains phases a commercial meter talks over (1 or 3)",
        "three-phase coupling assumed",
        minimum=1,
        maximum=3,
    )
    # low-voltage network
    snap_tolerance_m: float = rule(
        0.5,
        "m",
        "line ends closer than this are one node, where lines have no from and to columns",
        _OURS,
        minimum=0.0,
        maximum=50.0,
    )
    attach_distance_m: float = rule(
        60.0,
        "m",
        "a meter without bus joins the nearest fed node within this distance",
        _OURS,
        minimum=0.0,
        maximum=5000.0,
    )
    max_meters_per_transformer: int = rule(
        120,
        "1",
        "meters an inferred transformer feeds at most",
        _OURS + "; Schutterwald has 15 to 177",
        minimum=1,
        maximum=10000,
    )
    max_feeder_length_m: float = rule(
        550.0,
        "m",
        "cable from an inferred transformer to its farthest meter at most",
        _OURS,
        minimum=50.0,
        maximum=20000.0,
    )
    max_given_feeder_length_m: float = rule(
        1500.0,
        "m",
        "along roads, farther from every given transformer than this a meter stays without one",
        _OURS,
        minimum=50.0,
        maximum=50000.0,
    )
    max_gap_m: float = rule(
        300.0,
        "m",
        "a stretch of road longer than this without customers separates two areas",
        _OURS,
        minimum=10.0,
        maximum=20000.0,
    )
    max_service_length_m: float = rule(
        250.0,
        "m",
        "longest service cable from the road; beyond it a building stays without transformer",
        _OURS,
        minimum=1.0,
        maximum=5000.0,
    )
    pole_transformer_meters: int = rule(
        12, "1", "up to this number of meters an inferred transformer stands on a pole", _OURS, minimum=0, maximum=10000
    )
    kva_per_meter: float = rule(
        3.0,
        "kVA",
        "rating reserved per meter when an inferred transformer is sized, diversity included",
        _OURS,
        minimum=0.01,
        maximum=1000.0,
    )
    default_rating_kva: float = rule(
        400.0,
        "kVA",
        "rating of a given transformer whose row has none; flagged in its data_flag",
        "the usual size in European towns",
        minimum=1.0,
        maximum=5000.0,
    )
    joint_length_m: float = rule(
        0.1,
        "m",
        "a given cable of length 0 between two buses counts as a joint of this length",
        _OURS + "; electrically negligible, keeps the two buses apart in the tables",
        minimum=0.001,
        maximum=1.0,
    )
    main_cable: str = rule("NAYY 4x150 SE", "name", "inferred cable along roads", "mains of lv_schutterwald")
    service_cable: str = rule("NAYY 4x50 SE", "name", "inferred cable to the house", "services of lv_schutterwald")
    substation_max_kv: float = rule(
        36.0,
        "kV",
        "substations with a higher voltage tag feed no houses",
        "IEC 60038, highest medium voltage",
        minimum=1.0,
        maximum=1200.0,
    )
    # candidate sites and cells
    candidate_spacing_m: float = rule(
        250.0, "m", "least distance between candidate sites", _OURS, minimum=0.0, maximum=50000.0
    )
    roof_spacing_m: float = rule(
        500.0, "m", "one roof, the highest, in each square of this size", _OURS, minimum=50.0, maximum=50000.0
    )
    substation_height_m: float = rule(5.0, "m", "antenna on a substation", _OURS, minimum=0.5, maximum=500.0)
    pole_height_m: float = rule(8.0, "m", "antenna on a distribution pole", _OURS, minimum=0.5, maximum=500.0)
    tower_height_m: float = rule(
        20.0, "m", "antenna on a transmission tower, below the conductors", _OURS, minimum=0.5, maximum=500.0
    )
    mast_height_m: float = rule(25.0, "m", "antenna on a communication mast", _OURS, minimum=0.5, maximum=500.0)
    roof_antenna_m: float = rule(2.0, "m", "antenna above a roof", _OURS, minimum=0.0, maximum=100.0)
    towers_are_own: bool = rule(False, "bool", "transmission towers belong to the planner", "often another operator's")
    poles_are_own: bool = rule(True, "bool", "distribution poles belong to the planner", _OURS)
    site_margin_m: float = rule(
        1000.0, "m", "sites this far outside the boundary still count", _OURS, minimum=0.0, maximum=100000.0
    )
    assumed_cell_spacing_m: float = rule(
        4000.0,
        "m",
        "distance between assumed operator cells",
        _OURS + "; real sites must come from the operator",
        minimum=200.0,
        maximum=100000.0,
    )
    cell_height_m: float = rule(
        32.0, "m", "antenna of an operator cell without height", _OURS, minimum=5.0, maximum=500.0
    )
    # the map
    boundary_margin_m: float = rule(
        500.0,
        "m",
        "without a boundary layer the area is the hull of the meters and this margin",
        _OURS,
        minimum=1.0,
        maximum=100000.0,
    )
    stray_margin_m: float = rule(
        10000.0,
        "m",
        "without a boundary, a row this far beyond five interquartile ranges of its layer lies outside",
        _OURS,
        minimum=100.0,
        maximum=1000000.0,
    )
    town_cover_ratio: float = rule(
        0.15,
        "1",
        "built share of 600 m squares from which ground is town: no barns, no pole transformers, urban_levels",
        _OURS,
        minimum=0.01,
        maximum=1.0,
    )
    urban_cover_ratio: float = rule(
        0.30, "1", "built share of 600 m squares from which ground is urban", _OURS, minimum=0.01, maximum=1.0
    )
    dense_cover_ratio: float = rule(
        0.50, "1", "built share of 600 m squares from which ground is dense urban", _OURS, minimum=0.01, maximum=1.0
    )
    suburban_cover_ratio: float = rule(
        0.05, "1", "built share of 600 m squares from which open ground is suburban", _OURS, minimum=0.001, maximum=1.0
    )


def check_rules(rules: InferenceRules) -> None:
    """Raise ValueError for a rule outside its limits or without a finite value, naming it."""
    _check_limits(rules, "area.rules")
    for name in ("dwelling_phases", "commercial_phases"):
        if getattr(rules, name) not in (1, 3):
            raise ValueError(f"area.rules.{name} = {getattr(rules, name)}: write 1 or 3")


def check_inputs(inputs: AreaInputs) -> None:
    """Raise ValueError for a number of the ``[area]`` section or of its rules outside its limits, naming it."""
    _check_limits(inputs, "area")
    if inputs.zero_length_cables not in ("refuse", "joint"):
        raise ValueError(f'area.zero_length_cables = {inputs.zero_length_cables!r}: write "refuse" or "joint"')
    check_rules(inputs.rules)


def _check_limits(section: Any, where: str) -> None:
    for item in fields(section):
        value, low, high = getattr(section, item.name), item.metadata.get("minimum"), item.metadata.get("maximum")
        if low is not None and not low <= value <= high:  # also where it is no number
            unit = item.metadata["unit"]
            raise ValueError(
                f"{where}.{item.name} = {value}: allowed is {low:g} to {high:g}" + (f" {unit}" if unit != "1" else "")
            )


def rules_table(rules: InferenceRules) -> list[dict[str, Any]]:
    """Rows ``name, value, default, unit, meaning, source, confidence, minimum, maximum`` for the report."""
    return [
        {"name": item.name, "value": getattr(rules, item.name), "default": item.default, **item.metadata}
        for item in fields(rules)
    ]


@dataclass(frozen=True)
class AreaInputs:
    """The ``[area]`` section: which layer plays which role. Only ``name`` and one source of meters are needed.

    crs : working CRS, projected and in metres; estimated as the UTM zone of the meters where left out.
    seed : spreads meters within population cells.
    meters, or addresses and buildings, or population : where the meters come from, in this order of preference.
    transformers, buses, cables, switches : the low-voltage network as given; inferred where missing.
    power : poles, towers and substations as mapped;  masts, poles : layers of their own.
    candidate_sites : where radio equipment may stand; replaces what would be derived.
    max_bad_share : a layer with a larger share of faulty rows is refused [0 to 1].
    cable_types : the user's names of cable types to names that the power-line model knows, as
        ``{"4c_70" = "NAYY 4x70"}``; a name that is not mapped is passed on as it is.
    radial : the given cables must form trees; a cable that closes a loop is refused. Else loops are kept.
    zero_length_cables : "refuse", or "joint" where cables of length 0 join two buses (`rules.joint_length_m`).
    """

    name: str
    crs: str | None = None
    seed: int = 0
    boundary: LayerInput | None = None
    meters: LayerInput | None = None
    addresses: LayerInput | None = None
    buildings: LayerInput | None = None
    population: LayerInput | None = None
    transformers: LayerInput | None = None
    buses: LayerInput | None = None
    cables: LayerInput | None = None
    switches: LayerInput | None = None
    roads: LayerInput | None = None
    landuse: LayerInput | None = None
    places: LayerInput | None = None
    power: LayerInput | None = None
    masts: LayerInput | None = None
    poles: LayerInput | None = None
    operator_cells: LayerInput | None = None
    candidate_sites: LayerInput | None = None
    terrain: TerrainInput | None = None
    rules: InferenceRules = field(default_factory=InferenceRules)
    max_bad_share: float = rule(
        0.2, "1", "a layer with a larger share of faulty rows is refused", _OURS, minimum=0.0, maximum=1.0
    )
    cable_types: dict[str, str] = field(default_factory=dict)
    radial: bool = False
    zero_length_cables: str = "refuse"


LAYER_ROLES = tuple(item.name for item in fields(AreaInputs) if "LayerInput" in str(item.type))
"""Roles that take a layer, in the order of ``AreaInputs``."""
