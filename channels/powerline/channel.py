"""The power line channel of whole areas: signal to noise ratio per carrier and direction for every pair of nodes.

Areas are streamed in blocks; within a block everything is a column. Trees take the two-pass solver, areas with a loop
take the sparse nodal one, chosen by counting nodes and edges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..draws import Draws, pair_key
from ..paths import CablePaths
from .coupling import injection_gain_db, transformer_admittance_s
from .loads import house_impedance_ohm
from .network import TreeGains, forest, lines
from .nodal import NodalGains
from .noise import ENVIRONMENT_NOISE_DB, receiver_noise_dbuv
from .phases import ALL_PHASES, LARGEST_ATTENUATION_DB, cross_phase_loss_db, phase_of

Array = NDArray[Any]

DB_PER_NEPER = 10 / np.log(10)
DEAD_SNR_DB = -40.0
"""Links whose mean SNR lies below are not computed carrier by carrier: no mode comes near them."""

BLOCK_LINKS = 20_000


@dataclass(frozen=True)
class ChannelSettings:
    """Electrical side of one power line technology; units are the last word, meanings stand with the technology."""

    frequency_hz: Array
    bandwidth_hz: float
    carrier_level_dbuv: float
    source_ohm: float
    receive_ohm: float
    current_limit_a: float
    receiver_floor_dbuv: float
    environment: str
    house_frequency_exponent: float
    house_phase_low_deg: float
    house_phase_high_deg: float
    load_impedance_factor: float
    noise_offset_db: float
    noise_area_sigma_db: float
    noise_node_sigma_db: float
    noise_lines_per_node: float
    short_circuit_ratio: float
    line_voltage_v: float
    transformer_quality: float
    transformer_capacitance_f: float
    phase_model: bool
    site_phases: int


@dataclass(frozen=True)
class ChannelBlock:
    """Some links of one replication.

    link : (n,) rows of the paths
    snr_up, snr_down : (n, n_carriers) float32 linear, cycle mean noise; up is first end to second end
    mean_snr_db : (n, 2) mean over the carriers in dB, up and down
    loss_db : (n,) mean attenuation of both directions from source voltage to receiver voltage
    cross_loss_db : (n, 2) what crossing between phases costs, 0 on one phase
    in_range : (n,) False where the cross-phase table was left
    dead : (n,) bool, too weak to be computed carrier by carrier; snr is zero there
    """

    link: Array
    snr_up: Array
    snr_down: Array
    mean_snr_db: Array
    loss_db: Array
    cross_loss_db: Array
    in_range: Array
    dead: Array


@dataclass(frozen=True)
class _Terminals:
    """Meters and buses in one replication; rows are node numbers."""

    feeder_node: Array
    phase: Array
    load_s: Array
    noise_dbuv: Array
    receive_s: float
    n_meters: int


def channel_blocks(paths: CablePaths, settings: ChannelSettings, draws: Draws) -> Iterator[ChannelBlock]:
    """Stream the channel of all links that exist electrically.

    Parameters
    ----------
    paths : CablePaths;  settings : ChannelSettings;  draws : Draws of the replication

    Yields
    ------
    ChannelBlock. Links between nodes that no cable joins, or outside every area, appear in no block. Raises ValueError
    where the number of phases of the coupler is not 1 or 3, or as the parts do (cables, ratings, loads, noise).
    """
    if settings.site_phases not in (1, 3):
        raise ValueError(f"the concentrator couples to {settings.site_phases} phases; give 1 or 3")
    if paths.n_links == 0:
        return
    terminals = _terminals(paths, settings, draws)
    live, n_extra = _live_nodes(paths)
    for areas, looped in _area_blocks(paths, live, n_extra):
        yield from _solve_block(paths, settings, draws, terminals, live, areas, looped)


def _terminals(paths: CablePaths, settings: ChannelSettings, draws: Draws) -> _Terminals:
    """Draw phases, house loads and noise of every node."""
    n_meters = paths.n_meters
    feeder_node = np.concatenate([paths.meter_feeder_node, paths.site_feeder_node]).astype(np.int64)
    area = np.where(feeder_node >= 0, paths.feeder_area[np.maximum(feeder_node, 0)], -1)
    site_key = np.append(paths.node_key[n_meters:], np.uint64(0))
    if settings.phase_model:
        n_phases = np.concatenate([paths.meter_phases, np.full(paths.n_sites, settings.site_phases)])
        phase = phase_of(paths.node_key, n_phases, draws)
    else:
        phase = np.full(feeder_node.size, ALL_PHASES, np.int8)
    house = house_impedance_ohm(
        paths.node_key[:n_meters],
        settings.frequency_hz,
        draws,
        environment=settings.environment,
        frequency_exponent=settings.house_frequency_exponent,
        phase_low_deg=settings.house_phase_low_deg,
        phase_high_deg=settings.house_phase_high_deg,
        factor=settings.load_impedance_factor,
    )
    noise = receiver_noise_dbuv(
        paths.node_key,
        site_key[area],
        settings.frequency_hz,
        draws,
        bandwidth_hz=settings.bandwidth_hz,
        offset_db=settings.noise_offset_db + ENVIRONMENT_NOISE_DB[settings.environment],
        area_sigma_db=settings.noise_area_sigma_db,
        node_sigma_db=settings.noise_node_sigma_db,
        lines_per_node=settings.noise_lines_per_node,
        receiver_floor_dbuv=settings.receiver_floor_dbuv,
    )
    bus = transformer_admittance_s(
        paths.site_rated_kva,
        settings.frequency_hz,
        short_circuit_ratio=settings.short_circuit_ratio,
        line_voltage_v=settings.line_voltage_v,
        quality_factor=settings.transformer_quality,
        capacitance_f=settings.transformer_capacitance_f,
    )
    return _Terminals(feeder_node, phase, np.concatenate([1 / house, bus]), noise, 1 / settings.receive_ohm, n_meters)


def _live_nodes(paths: CablePaths) -> tuple[Array, Array]:
    """Nodes joined by cable to the bus of their own area, and per area how many edges exceed a tree."""
    area, n = paths.feeder_area, paths.n_feeder_nodes
    inside = (area[paths.edge_from] == area[paths.edge_to]) & (area[paths.edge_from] >= 0)
    start, end = paths.edge_from[inside], paths.edge_to[inside]
    graph = coo_array((np.ones(start.size), (start, end)), shape=(n, n)).tocsr()
    component = connected_components(graph, directed=False)[1]
    root = np.append(paths.site_feeder_node, -1)[area]
    live = (
        (area >= 0) & (root >= 0) & (component == component[np.maximum(root, 0)]) & (area[np.maximum(root, 0)] == area)
    )
    edges = np.bincount(area[start][live[start]], minlength=paths.n_sites)
    nodes = np.bincount(area[live], minlength=paths.n_sites)
    return live, edges - nodes + 1


def _area_blocks(paths: CablePaths, live: Array, n_extra: Array) -> Iterator[tuple[Array, bool]]:
    """Areas to solve together: one looped area, or as many trees as make a block of links."""
    sites = np.flatnonzero(np.bincount(paths.feeder_area[live], minlength=paths.n_sites) > 0)
    for site in sites[n_extra[sites] > 0]:
        yield np.array([site]), True
    trees = sites[n_extra[sites] <= 0]
    members = np.bincount(
        paths.feeder_area[paths.meter_feeder_node[paths.meter_feeder_node >= 0]] + 1, minlength=paths.n_sites + 1
    )
    pairs = np.cumsum((members[1:][trees] + 1.0) ** 2 / 2)
    block = (pairs // BLOCK_LINKS).astype(int)
    for areas in np.split(trees, np.flatnonzero(np.diff(block)) + 1):
        if areas.size:
            yield areas, False


def _solve_block(
    paths: CablePaths,
    settings: ChannelSettings,
    draws: Draws,
    terminals: _Terminals,
    live: Array,
    areas: Array,
    looped: bool,
) -> Iterator[ChannelBlock]:
    """Solve some areas and look up all their links."""
    chosen = np.zeros(paths.n_sites + 1, bool)
    chosen[areas] = True
    node = np.flatnonzero(live & chosen[paths.feeder_area])
    local = np.full(paths.n_feeder_nodes + 1, -1)
    local[node] = np.arange(node.size)
    edge = np.flatnonzero((local[paths.edge_from] >= 0) & (local[paths.edge_to] >= 0) & _within(paths))
    line = lines(
        local[paths.edge_from[edge]],
        local[paths.edge_to[edge]],
        paths.edge_length_m[edge],
        paths.edge_cable[edge],
        paths.cables,
        node.size,
        settings.frequency_hz,
    )
    place = local[terminals.feeder_node]
    member = np.flatnonzero(place >= 0)
    shunt = _shunts(terminals, member, place, node.size)
    roots = place[paths.n_meters + areas]
    gains: TreeGains | NodalGains
    if looped:
        gains = NodalGains.of(line, shunt, np.unique(place[member]))
    else:
        gains = TreeGains.of(line, forest(line, roots), shunt)
    injection = _injection(paths, settings, terminals, gains, member, place[member])
    a, b = place[paths.from_node], place[paths.to_node]
    site_of = np.append(paths.feeder_area, -1)[terminals.feeder_node]
    link = np.flatnonzero((a >= 0) & (b >= 0) & (site_of[paths.from_node] == site_of[paths.to_node]))
    row = np.full(place.size, -1)
    row[member] = np.arange(member.size)
    for some in np.array_split(link, max(1, -(-link.size // BLOCK_LINKS))):
        if some.size:
            yield _look_up(paths, settings, draws, terminals, gains, injection, row, place, some)


def _within(paths: CablePaths) -> Array:
    """Edges that stay inside one area."""
    return np.asarray(paths.feeder_area[paths.edge_from] == paths.feeder_area[paths.edge_to])


def _shunts(terminals: _Terminals, member: Array, place: Array, n_nodes: int) -> Array:
    """Loads, transformers and idle modems on each phase circuit, (n_nodes, n_phases, n_carriers) [S].

    One circuit is enough where nobody is single-phase.
    """
    phase = terminals.phase[member]
    n_phases = 1 if np.all(phase == ALL_PHASES) else 3
    shunt = np.zeros((n_nodes, n_phases, terminals.load_s.shape[1]), complex)
    is_meter = member < terminals.n_meters
    for circuit in range(n_phases):
        listens = (phase == ALL_PHASES) | (phase == circuit)
        hangs = listens | ~is_meter
        admittance = (
            np.where(hangs[:, None], terminals.load_s[member], 0) + np.where(listens, terminals.receive_s, 0)[:, None]
        )
        np.add.at(shunt[:, circuit], place[member], admittance)
    return shunt


def _injection(
    paths: CablePaths,
    settings: ChannelSettings,
    terminals: _Terminals,
    gains: TreeGains | NodalGains,
    member: Array,
    place: Array,
) -> Array:
    """ln |V_sender / E|^2 of each member on each phase circuit, (n_members, n_phases, n_carriers) float32.

    A coupler on three phases drives them in parallel: each circuit sees three times the source impedance and a third
    of the current. A three-phase meter drives one phase at a time.
    """
    parallel = np.where((member >= paths.n_meters) & settings.phase_model, settings.site_phases, 1)[:, None]
    level_v = 1e-6 * 10 ** (settings.carrier_level_dbuv / 20)
    gain_db = injection_gain_db(
        gains.admittance(place) - terminals.receive_s,
        source_ohm=settings.source_ohm * parallel,
        carrier_level_v=level_v,
        current_limit_a=settings.current_limit_a / parallel,
    )
    return np.asarray(gain_db / DB_PER_NEPER, dtype=np.float32)


def _look_up(
    paths: CablePaths,
    settings: ChannelSettings,
    draws: Draws,
    terminals: _Terminals,
    gains: TreeGains | NodalGains,
    injection: Array,
    row: Array,
    place: Array,
    link: Array,
) -> ChannelBlock:
    """Both directions of some links of a solved block."""
    first, second = paths.from_node[link], paths.to_node[link]
    way = gains.place(place[first], place[second])
    normal = draws.normal("cross phase", pair_key(paths.node_key[first], paths.node_key[second]))
    directions = []
    for sender, receiver, along in ((first, second, way), (second, first, gains.swapped(way))):
        total = injection.mean(-1)[row[sender]] + gains.mean_gain(along)
        circuit, crosses = _circuits(terminals.phase[sender], terminals.phase[receiver], total)
        loss_db = -DB_PER_NEPER * total[np.arange(link.size), circuit]
        cross_db = np.where(crosses, cross_phase_loss_db(loss_db, normal), 0.0)
        noise_db = terminals.noise_dbuv[receiver].mean(-1)
        directions.append((sender, receiver, along, circuit, loss_db, cross_db, loss_db + cross_db + noise_db))
    mean_snr = settings.carrier_level_dbuv - np.stack([d[6] for d in directions], axis=1)
    dead = mean_snr.max(axis=1) < DEAD_SNR_DB
    alive = np.flatnonzero(~dead)
    snr = []
    for sender, receiver, along, circuit, _, cross_db, _ in directions:
        power = np.zeros((link.size, settings.frequency_hz.size), np.float32)
        level = (settings.carrier_level_dbuv - cross_db[alive])[:, None] - terminals.noise_dbuv[receiver[alive]]
        chosen = tuple(column[alive] for column in along)
        log_power = injection[row[sender[alive]], circuit[alive]] + gains.gain(chosen, circuit[alive])
        power[alive] = np.exp(log_power + (level / DB_PER_NEPER).astype(np.float32))
        snr.append(power)
    cross = np.stack([d[5] for d in directions], axis=1)
    loss = np.stack([d[4] for d in directions], axis=1)
    in_range = ~np.any((cross != 0) & (loss > LARGEST_ATTENUATION_DB), axis=1)
    return ChannelBlock(link, snr[0], snr[1], mean_snr, (loss + cross).mean(axis=1), cross, in_range, dead)


def _circuits(sender: Array, receiver: Array, total: Array) -> tuple[Array, Array]:
    """Phase circuit each link runs on and whether it crosses to another phase.

    A node on all phases takes the other end's; two such nodes take the best; else the sender's circuit counts.
    """
    best = total.argmax(axis=1)
    circuit = np.where(sender != ALL_PHASES, sender, np.where(receiver != ALL_PHASES, receiver, best))
    crosses = (sender != ALL_PHASES) & (receiver != ALL_PHASES) & (sender != receiver)
    return circuit.astype(np.int64), crosses
