"""The low-voltage network of the area, as given or inferred, with every meter hung on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .area import FeederNetwork
from .attach import attach_meters, unknown_transformers
from .audit import Audited, refuse_unusable
from .cable_faults import Resolver, length_notes, refuse_lengths, refuse_loops, refuse_types
from .clutter import built_ratio
from .columns import texts
from .desk import Desk, added_flag, with_faults
from .feeders import given_network
from .given import given_transformers, no_transformers
from .inferred import infer_network
from .inputs import InferenceRules
from .nearness import refuse_far
from .sites import mapped_substations

Array = NDArray[Any]


def find_network(
    desk: Desk, meters: gpd.GeoDataFrame, buildings: gpd.GeoDataFrame, known_cable: Resolver | None
) -> tuple[gpd.GeoDataFrame, FeederNetwork, gpd.GeoDataFrame]:
    """Transformers and feeders as given, else inferred, and the meters with their transformer and feeder node.

    Raises ValueError for a cable without length, of a type that ``known_cable`` refuses, or in a loop that may not be,
    and where the cables lie nowhere near transformers or meters.
    """
    rules = desk.inputs.rules
    own = "transformers" in desk.audited
    given = given_transformers(desk.frame("transformers"), rules) if own else no_transformers(desk.crs)
    if "cables" in desk.audited:
        if not own:
            raise ValueError("area.cables is given without area.transformers; name the layer of transformers too")
        return _given_network(desk, meters, given, known_cable)
    if not own and "power" in desk.audited:
        given = mapped_substations(desk.frame("power"), rules)
    transformers, feeders, meters = _inferred_network(desk, meters, given, own)
    _check_inferred_types(rules, feeders, known_cable)
    x_m, y_m = transformers["x_m"].to_numpy(), transformers["y_m"].to_numpy()
    in_town = built_ratio(x_m, y_m, buildings) >= rules.town_cover_ratio  # no transformer on a pole there
    return transformers.assign(mount=transformers["mount"].mask(in_town, "ground")), feeders, meters


def _given_network(
    desk: Desk, meters: gpd.GeoDataFrame, transformers: gpd.GeoDataFrame, known_cable: Resolver | None
) -> tuple[gpd.GeoDataFrame, FeederNetwork, gpd.GeoDataFrame]:
    rules = desk.inputs.rules
    switches = desk.layers["switches"].frame if "switches" in desk.layers else None
    cables = _with_known_types(desk)
    refuse_lengths(cables, desk.inputs.zero_length_cables)
    desk.notes += length_notes(cables)
    network = given_network(cables, desk.audited.get("buses"), switches, transformers, rules)
    desk.listed += [network.cables_listed, network.buses_listed, network.switches_listed]
    refuse_far(desk.audited["transformers"], desk.audited["cables"], network.feeders.transformer_node >= 0)
    node, transformer, guessed, qa = attach_meters(meters, network, transformers, rules)
    if "meters" in desk.audited:
        refuse_far(desk.audited["meters"], desk.audited["cables"], node >= 0)
    desk.qa += [network.qa, qa]
    _say_unknown(desk, qa, len(meters), own=True)
    refuse_unusable(with_faults(desk.audited["cables"], network.cables_listed), desk.inputs.max_bad_share)
    if known_cable is not None:
        refuse_types(cables, network.lines, desk.inputs.cable_types, known_cable)
    if desk.inputs.radial:
        refuse_loops(cables, network.lines, network.fed_node)
    if guessed.any():
        desk.notes.append(f"{int(guessed.sum())} of {len(meters)} meters were joined to the nearest cable node.")
    lost = int((transformer < 0).sum())
    if lost:
        desk.notes.append(f"{lost} of {len(meters)} meters hang on no transformer.")
    counts = np.bincount(transformer[transformer >= 0], minlength=len(transformers))
    flag = added_flag(meters["data_flag"].to_numpy(dtype=object), guessed, "feeder_node")
    meters = meters.assign(feeder_node=node.astype(np.int32), transformer=transformer.astype(np.int32), data_flag=flag)
    return transformers.assign(n_meters=counts), network.feeders, meters


def _inferred_network(
    desk: Desk, meters: gpd.GeoDataFrame, given: gpd.GeoDataFrame, own: bool
) -> tuple[gpd.GeoDataFrame, FeederNetwork, gpd.GeoDataFrame]:
    rules = desk.inputs.rules
    point, first, count = _service_points(meters)
    stated = _stated_transformer(meters, given if own else given.iloc[:0])
    unknown = unknown_transformers(meters, given if own else given.iloc[:0])
    if own:
        desk.qa.append(unknown)
    _say_unknown(desk, unknown, len(meters), own)
    if len(desk.frame("roads")) == 0:
        desk.notes.append(
            "No roads layer with a road in the area: inferred cables run straight between neighbouring customers."
        )
    x, y = meters["x_m"].to_numpy(dtype=float)[first], meters["y_m"].to_numpy(dtype=float)[first]
    found = infer_network(x, y, count, given, own, stated[first], desk.frame("roads"), rules)
    transformer, node = found.transformer[point], found.feeder_node[point]
    flag = meters["data_flag"].to_numpy(dtype=object)
    flag = added_flag(flag, (stated < 0) | (stated != transformer), "transformer")
    flag = added_flag(flag, np.ones(len(meters), dtype=bool), "feeder_node")
    desk.notes += _network_notes(found, len(given), own, len(meters), int((transformer < 0).sum()), rules)
    meters = meters.assign(feeder_node=node.astype(np.int32), transformer=transformer.astype(np.int32), data_flag=flag)
    return _sorted_network(found.transformers, found.feeders, meters)


def _with_known_types(desk: Desk) -> Audited:
    """The cables with the names of types that ``[area.cable_types]`` gives; others stay as they are."""
    audited, types = desk.audited["cables"], desk.inputs.cable_types
    if not types:
        return audited
    named = [types.get(name, name) for name in texts(audited.frame, "cable").tolist()]
    return replace(audited, frame=audited.frame.assign(cable=np.array(named, dtype=object)))


def _check_inferred_types(rules: InferenceRules, feeders: FeederNetwork, known_cable: Resolver | None) -> None:
    """Raise ValueError where a rule names a cable type, in use, that is not known."""
    for name in ("main_cable", "service_cable"):
        if known_cable is not None and getattr(rules, name) in feeders.cables:
            try:
                known_cable(getattr(rules, name))
            except ValueError as error:
                raise ValueError(f"area.rules.{name}: {error}") from None


def _say_unknown(desk: Desk, qa: pd.DataFrame, n_meters: int, own: bool) -> None:
    """How many meters name a transformer that is not there."""
    count = int((qa["code"] == "unknown_transformer").sum())
    if count and own:
        desk.notes.append(
            f"{count} of {n_meters} meters name a transformer that is not among the usable ones of the layer "
            "transformers; theirs is found by bus or place (each is listed as unknown_transformer)."
        )
    elif count:
        desk.notes.append(
            f"{count} of {n_meters} meters name a transformer, but there is no layer transformers; the names only keep "
            "meters at one place apart."
        )


def _service_points(meters: gpd.GeoDataFrame) -> tuple[Array, Array, Array]:
    """Meters at one place share a service cable: place of each meter, first meter and count of each place.

    Places whose meters name different transformers are kept apart.
    """
    named = meters["transformer"].to_numpy(dtype=object) if "transformer" in meters else np.full(len(meters), "")
    _, code = np.unique(named.astype(str), return_inverse=True)
    places = np.column_stack([np.rint(meters[["x_m", "y_m"]].to_numpy(dtype=float) * 1000.0), code.reshape(-1)])
    _, first, point, count = np.unique(places, axis=0, return_index=True, return_inverse=True, return_counts=True)
    return point.reshape(-1), first, count


def _stated_transformer(meters: gpd.GeoDataFrame, given: gpd.GeoDataFrame) -> Array:
    if "transformer" not in meters:
        return np.full(len(meters), -1, dtype=np.int64)
    row_of = {name: row for row, name in enumerate(given["transformer_id"].tolist())}
    return np.array([row_of.get(name, -1) for name in meters["transformer"].astype(str)], dtype=np.int64)


def _sorted_network(
    transformers: gpd.GeoDataFrame, feeders: FeederNetwork, meters: gpd.GeoDataFrame
) -> tuple[gpd.GeoDataFrame, FeederNetwork, gpd.GeoDataFrame]:
    """Transformers sorted by key; everything that names their row follows."""
    order = np.argsort(transformers["key"].to_numpy(), kind="stable")
    row_of = np.empty(order.size + 1, dtype=np.int32)
    row_of[order], row_of[-1] = np.arange(order.size), -1
    columns = {name: getattr(feeders, name) for name in feeders.__dataclass_fields__}
    columns["node_area"] = row_of[feeders.node_area]
    columns["transformer_node"] = feeders.transformer_node[order]
    meters = meters.assign(transformer=row_of[meters["transformer"].to_numpy()])
    return transformers.iloc[order].reset_index(drop=True), FeederNetwork(**columns), meters


def _network_notes(found: Any, n_given: int, own: bool, n_meters: int, n_lost: int, rules: Any) -> list[str]:
    n_all, limit_m = len(found.transformers), rules.max_feeder_length_m
    share = (n_all - n_given) / max(n_all, 1)
    large = found.transformers["n_meters"].to_numpy()[n_given:] > rules.max_meters_per_transformer
    n_large = int(large.sum())
    kind = "given" if own else "mapped substations"
    notes = [
        f"{n_all - n_given} of {n_all} transformers ({share:.0%}) are inferred, {n_given} are {kind}; "
        f"each inferred one feeds at most {rules.max_meters_per_transformer} meters over at most {limit_m:g} m"
        + (f", but {n_large} feed one larger place each." if n_large else "."),
        f"All {found.feeders.edge_from.size} cable sections (100%) are inferred along the roads, "
        f"{float(found.feeders.edge_length_m.sum()) / 1000.0:.1f} km in all.",
    ]
    notes += _load_notes(found, n_given, n_meters)
    if n_lost:
        notes.append(
            f"{n_lost} of {n_meters} meters have no transformer: {found.n_off_road} places lie more than "
            f"{rules.max_service_length_m:g} m from a road, {found.n_beyond} out of every transformer's reach."
        )
    return notes


MANY_TRANSFORMERS_SHARE = 1 / 3
"""From this many inferred transformers per meter the inference, not the map, decides what power line costs."""


def _load_notes(found: Any, n_given: int, n_meters: int) -> list[str]:
    """How many meters an inferred transformer feeds, and a warning where that drives the comparison."""
    loads = found.transformers["n_meters"].to_numpy()[n_given:]
    if loads.size == 0:
        return []
    notes = [
        f"An inferred transformer feeds {np.median(loads):g} meters in the median ({loads.min()} to {loads.max()})."
    ]
    if loads.size > MANY_TRANSFORMERS_SHARE * n_meters:
        notes.append(
            f"Careful: {loads.size} transformers were inferred for {n_meters} meters, so the inference drives the cost "
            "of power line and the ranking of technologies; give area.transformers, or check max_gap_m, "
            "max_feeder_length_m and max_meters_per_transformer under [area.rules]."
        )
    return notes
