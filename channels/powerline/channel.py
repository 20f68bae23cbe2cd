"""The power line channel of whole areas: signal to noise ratio per carrier and direction for every pair of nodes.

Areas are streamed in blocks; within a block everything is a column. Trees take the two-pass solver, areas with a few
loops a spanning tree with the other edges put back, the rest the sparse nodal solver, chosen by counting nodes and
edges. What does not change between replications (which areas go together, line constants, where the paths of a pair
meet) is made once per set of paths.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..draws import Draws, pair_key
from ..paths import CablePaths
from .coupling import injection_gain_db, transformer_admittance_s
from .emission import EmitterSettings, emission_dbuv, emitters
from .loads import house_impedance_ohm
from .loops import MOST_LOOPS, cut_open, looped_gains
from .network import Forest, Lines, TreeGains, forest, lines, places, rows_at
from .nodal import NodalGains
from .noise import ENVIRONMENT_NOISE_DB, receiver_noise_dbuv
from .phases import ALL_PHASES, LARGEST_ATTENUATION_DB, cross_phase_loss_db, phase_of

Array = NDArray[Any]

DB_PER_NEPER = 10 / np.log(10)
DEAD_SNR_DB = -40.0
"""Links whose mean SNR lies below are not computed carrier by carrier: no mode comes near them."""

BLOCK_LINKS = 20_000
"""Areas are solved together until they hold this many links."""

PIECE_LINKS = 4_000
"""Links that are looked up at a time: their carriers fit the processor's cache."""

KEPT_LINKS = 2_000_000
"""Paths with more links are planned anew in every replication, so that memory stays bounded."""


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
    emitters: EmitterSettings
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
    heard : (n, 2) row of ``emitted`` for what each direction's receiver hears, up and down
    emitted : (n_rows, n_carriers) float32, linear, at least 1: noise with emitters over noise without; None where no
        emitter stands in the block
    """

    link: Array
    snr_up: Array
    snr_down: Array
    mean_snr_db: Array
    loss_db: Array
    cross_loss_db: Array
    in_range: Array
    dead: Array
    heard: Array
    emitted: Array | None


@dataclass(frozen=True)
class _Plan:
    """Areas solved together: what stays the same from one replication to the next.

    line : Lines over local nodes;  tree : Forest, None where there are too many loops for a spanning tree
    extra : edges of the area that are not in the tree
    member : (n_members,) nodes of the technology that hang on these areas;  place : (n_members,) their local nodes
    pieces : links of one piece, and the members at their ends, and (trees) where their paths meet
    """

    line: Lines
    tree: Forest | None
    extra: Array
    member: Array
    place: Array
    pieces: tuple[tuple[Array, Array, Array, Array], ...]


@dataclass(frozen=True)
class _Terminals:
    """Meters and buses in one replication; rows are node numbers."""

    phase: Array
    load_s: Array
    noise_dbuv: Array
    receive_s: float
    emitter: Array
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
    carriers = tuple(float(f) for f in settings.frequency_hz)
    plans = _kept_plans(_Same(paths), carriers) if paths.n_links <= KEPT_LINKS else _plans(paths, settings.frequency_hz)
    for plan in plans:
        yield from _solve_block(paths, settings, draws, terminals, plan)


class _Same:
    """Paths compared by identity: columns are read-only, so the same object holds the same network."""

    def __init__(self, paths: CablePaths) -> None:
        self.paths = paths

    def __hash__(self) -> int:
        return id(self.paths)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.paths is self.paths


@lru_cache(maxsize=2)
def _kept_plans(same: _Same, carriers: tuple[float, ...]) -> tuple[_Plan, ...]:
    """Plans of paths of ordinary size, kept between replications."""
    return tuple(_plans(same.paths, np.array(carriers)))


def _plans(paths: CablePaths, frequency_hz: Array) -> Iterator[_Plan]:
    """All blocks of areas with their lines and links."""
    live, n_extra = _live_nodes(paths)
    feeder_node = _feeder_node(paths)
    site_of = np.append(paths.feeder_area, -1)[feeder_node]
    for areas, looped in _area_blocks(paths, live, n_extra):
        yield _plan(paths, frequency_hz, live, feeder_node, site_of, areas, looped)


def _feeder_node(paths: CablePaths) -> Array:
    """Feeder node of every meter and bus; -1 for none."""
    return np.concatenate([paths.meter_feeder_node, paths.site_feeder_node]).astype(np.int64)


def _terminals(paths: CablePaths, settings: ChannelSettings, draws: Draws) -> _Terminals:
    """Draw phases, house loads and noise of every node."""
    n_meters = paths.n_meters
    feeder_node = _feeder_node(paths)
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
    emitter = emitters(paths.node_key[:n_meters], draws, settings.emitters)
    bus = transformer_admittance_s(
        paths.site_rated_kva,
        settings.frequency_hz,
        short_circuit_ratio=settings.short_circuit_ratio,
        line_voltage_v=settings.line_voltage_v,
        quality_factor=settings.transformer_quality,
        capacitance_f=settings.transformer_capacitance_f,
    )
    return _Terminals(phase, np.concatenate([1 / house, bus]), noise, 1 / settings.receive_ohm, emitter, n_meters)


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


def _plan(
    paths: CablePaths, frequency_hz: Array, live: Array, feeder_node: Array, site_of: Array, areas: Array, looped: bool
) -> _Plan:
    """Lines, members and links of some areas."""
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
        frequency_hz,
    )
    place = local[feeder_node]
    member = np.flatnonzero(place >= 0)
    roots, tree, extra = place[paths.n_meters + areas], None, np.zeros(0, np.int64)
    if not looped:
        tree = forest(line, roots)
    elif line.n_edges - line.n_nodes + 1 <= MOST_LOOPS:
        tree, extra = cut_open(line, int(roots[0]))
    row = np.full(place.size, -1)
    row[member] = np.arange(member.size)
    a, b = row[paths.from_node], row[paths.to_node]
    link = np.flatnonzero((a >= 0) & (b >= 0) & (site_of[paths.from_node] == site_of[paths.to_node]))
    pieces = []
    for some in np.array_split(link, max(1, -(-link.size // PIECE_LINKS))):
        if some.size:
            ends = place[paths.from_node[some]], place[paths.to_node[some]]
            turn = places(tree, *ends)[2] if tree is not None and not looped else np.zeros(0, int)
            pieces.append((some, a[some], b[some], turn))
    return _Plan(line, tree, extra, member, place[member], tuple(pieces))


def _solve_block(
    paths: CablePaths, settings: ChannelSettings, draws: Draws, terminals: _Terminals, plan: _Plan
) -> Iterator[ChannelBlock]:
    """Solve some areas and look up all their links."""
    shunt = _shunts(terminals, plan.member, plan.place, plan.line.n_nodes)
    gains: TreeGains | NodalGains
    if plan.tree is None:
        gains = NodalGains.of(plan.line, shunt, np.unique(plan.place))
    elif plan.extra.size:
        gains = looped_gains(plan.line, plan.tree, plan.extra, shunt, np.unique(plan.place))
    else:
        gains = TreeGains.of(plan.line, plan.tree, shunt)
    injection = _injection(paths, settings, terminals, gains, plan.member, plan.place)
    noise = _noise(paths, settings, draws, terminals, plan, gains, injection)
    for piece in plan.pieces:
        yield _look_up(paths, settings, draws, terminals, plan, gains, injection, noise, piece)


@dataclass(frozen=True)
class _Noise:
    """Noise of the members on each phase circuit, (n_members, n_phases, ...).

    excess : (..., n_carriers) float32, ln of carrier level over noise power, at the transmitter's level
    mean_dbuv : mean over the carriers;  emitted : see `ChannelBlock`
    """

    excess: Array
    mean_dbuv: Array
    emitted: Array | None


def _noise(
    paths: CablePaths,
    settings: ChannelSettings,
    draws: Draws,
    terminals: _Terminals,
    plan: _Plan,
    gains: TreeGains | NodalGains,
    injection: Array,
) -> _Noise:
    """Background at each member and what all emitters of its area send there."""
    shape = injection.shape
    noise = np.broadcast_to(terminals.noise_dbuv[plan.member][:, None, :], shape)
    emitted = None
    heard = _emissions(paths, settings, draws, terminals, plan, gains, injection)
    if heard is not None:
        ratio = 1 + heard / 10 ** (noise / 10)
        noise = noise + 10 * np.log10(ratio)
        emitted = ratio.astype(np.float32).reshape(-1, shape[2])
    excess = ((settings.carrier_level_dbuv - noise) / DB_PER_NEPER).astype(np.float32)
    return _Noise(excess, noise.mean(-1), emitted)


def _emissions(
    paths: CablePaths,
    settings: ChannelSettings,
    draws: Draws,
    terminals: _Terminals,
    plan: _Plan,
    gains: TreeGains | NodalGains,
    injection: Array,
) -> Array | None:
    """Emitters' power at every member, (n_members, n_phases, n_carriers) [uV^2]; None where there is no emitter.

    An emitter holds its level at its own terminals, so the ratio of node voltages is all that counts. It sits on the
    phase of its meter, or on a drawn one in a three-phase house; the other circuits hear it less by the cross-phase
    loss of the pair, the same as for a signal between the two.
    """
    n_members, n_phases, n_carriers = injection.shape
    source = np.flatnonzero(np.isin(plan.member, terminals.emitter))
    if source.size == 0:
        return None
    key = paths.node_key[plan.member]
    level_dbuv = emission_dbuv(key[source], settings.frequency_hz, settings.bandwidth_hz, draws, settings.emitters)
    phase = terminals.phase[plan.member[source]].astype(np.int64)
    drawn = (draws.uniform("emitter phase", key[source]) * n_phases).astype(np.int64)
    circuit = np.where(phase == ALL_PHASES, drawn, phase)
    area = _area_of(paths, plan)
    total = np.zeros((n_members * n_phases, n_carriers))
    step = max(1, BLOCK_LINKS // n_members)
    for low in range(0, source.size, step):
        emitter, receiver = np.nonzero(area[source[low : low + step], None] == area)
        emitter += low
        here, on = source[emitter], circuit[emitter]
        way = gains.place(plan.place[here], plan.place[receiver])
        gain = gains.gain(way, on).astype(np.float64)
        loss_db = -DB_PER_NEPER * (injection[here, on].mean(-1) + gain.mean(-1))
        cross_db = cross_phase_loss_db(loss_db, draws.normal("cross phase", pair_key(key[here], key[receiver])))
        power = 10 ** (level_dbuv[emitter] / 10) * np.exp(gain)
        weight = np.repeat(10 ** (-cross_db[:, None] / 10), n_phases, axis=1)
        weight[np.arange(on.size), on] = 1.0
        row = (receiver[:, None] * n_phases + np.arange(n_phases)).ravel()
        column = np.repeat(np.arange(on.size), n_phases)
        total += coo_array((weight.ravel(), (row, column)), shape=(total.shape[0], on.size)).tocsr() @ power
    return total.reshape(n_members, n_phases, n_carriers)


def _area_of(paths: CablePaths, plan: _Plan) -> Array:
    """Site row of each member."""
    return np.asarray(paths.feeder_area[_feeder_node(paths)[plan.member]])


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
        np.add.at(shunt[:, circuit], place, admittance)
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
    plan: _Plan,
    gains: TreeGains | NodalGains,
    injection: Array,
    noise: _Noise,
    piece: tuple[Array, Array, Array, Array],
) -> ChannelBlock:
    """Both directions of some links of a solved block."""
    link, first, second, turn = piece
    way = gains.place(plan.place[first], plan.place[second], turn)
    key, phase = paths.node_key[plan.member], terminals.phase[plan.member]
    normal = draws.normal("cross phase", pair_key(key[first], key[second]))
    sent = injection.mean(-1)
    directions = []
    for sender, receiver, along in ((first, second, way), (second, first, gains.swapped(way))):
        total = sent[sender] + gains.mean_gain(along)
        circuit, crosses = _circuits(phase[sender], phase[receiver], total)
        listens = np.where(phase[receiver] == ALL_PHASES, circuit, phase[receiver]).astype(np.int64)
        loss_db = -DB_PER_NEPER * total[np.arange(link.size), circuit]
        cross_db = np.where(crosses, cross_phase_loss_db(loss_db, normal), 0.0)
        lost_db = loss_db + cross_db + noise.mean_dbuv[receiver, listens]
        directions.append((sender, receiver, along, circuit, listens, loss_db, cross_db, lost_db))
    mean_snr = settings.carrier_level_dbuv - np.stack([d[7] for d in directions], axis=1)
    dead = mean_snr.max(axis=1) < DEAD_SNR_DB
    alive = np.flatnonzero(~dead)
    snr = []
    for sender, receiver, along, circuit, listens, _, cross_db, _ in directions:
        power = np.zeros((link.size, settings.frequency_hz.size), np.float32)
        log_power = gains.gain(tuple(column[alive] for column in along), circuit[alive])
        log_power += rows_at(injection, sender[alive], circuit[alive])
        log_power += rows_at(noise.excess, receiver[alive], listens[alive])
        log_power -= (cross_db[alive, None] / DB_PER_NEPER).astype(np.float32)
        power[alive] = np.exp(log_power, out=log_power)
        snr.append(power)
    loss, cross = (np.stack([d[column] for d in directions], axis=1) for column in (5, 6))
    in_range = ~np.any((cross != 0) & (loss > LARGEST_ATTENUATION_DB), axis=1)
    heard = np.stack([d[1] * injection.shape[1] + d[4] for d in directions], axis=1)
    loss_db = (loss + cross).mean(axis=1)
    return ChannelBlock(link, snr[0], snr[1], mean_snr, loss_db, cross, in_range, dead, heard, noise.emitted)


def _circuits(sender: Array, receiver: Array, total: Array) -> tuple[Array, Array]:
    """Phase circuit each link runs on and whether it crosses to another phase.

    A node on all phases takes the other end's; two such nodes take the best; else the sender's circuit counts.
    """
    best = total.argmax(axis=1)
    circuit = np.where(sender != ALL_PHASES, sender, np.where(receiver != ALL_PHASES, receiver, best))
    crosses = (sender != ALL_PHASES) & (receiver != ALL_PHASES) & (sender != receiver)
    return circuit.astype(np.int64), crosses
