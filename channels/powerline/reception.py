"""Noise at every receiver of a block: what is there anyhow, and what travels to it through the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws
from ..paths import CablePaths
from .channel_settings import ChannelSettings
from .emission import emitter_patterns, emitters_of
from .impulses import dense_rise
from .network import Solved
from .noise import background_uv2, cycle_pattern, lines_uv2
from .phases import ALL_PHASES, Phases, coupled_phases
from .plans import Plan
from .terminals import customers

Array = NDArray[Any]


@dataclass(frozen=True)
class Reception:
    """Noise on every phase that a member of the block listens to, (n_rows, n_bins, n_carriers) float64 [uV^2].

    row : (n_members, n_phases) row of the noise, -1 on phases that the modem is not coupled to, and of other members
    quiet_uv2 : nobody near emits: background, impulses, interferers on the air, the receiver itself
    noise_uv2 : with emitters and neighbours' transformers; the same array where there are none
    """

    row: Array
    quiet_uv2: Array
    noise_uv2: Array


def reception(
    paths: CablePaths,
    plan: Plan,
    phases: Phases,
    settings: ChannelSettings,
    solved: Solved,
    draws: Draws,
    part: Array,
) -> Reception:
    """Noise of some members of a block (rows ``part``) in one replication, and of nobody else."""
    coupled = np.zeros((plan.member.size, phases.n_phases), bool)
    coupled[part] = coupled_phases(phases.coupler[plan.member[part]], phases.n_phases)
    member, phase = np.nonzero(coupled)
    row = np.full(coupled.shape, -1)
    row[member, phase] = np.arange(member.size)
    quiet = _local(paths, plan, phases, settings, draws, member, phase)
    noise = quiet
    if settings.crosstalk_uv2 > 0:
        state = settings.states(phases.n_phases).state_of_bin
        noise = noise + _crosstalk(plan, phases.n_phases, settings, solved)[member, phase][:, state]
    emitted = _emissions(paths, plan, phases, settings, solved, draws, member, phase)
    return Reception(row, quiet, noise if emitted is None else noise + emitted)


def _local(
    paths: CablePaths,
    plan: Plan,
    phases: Phases,
    settings: ChannelSettings,
    draws: Draws,
    member: Array,
    phase: Array,
) -> Array:
    """(n_rows, n_bins, n_carriers) noise that belongs to the receiver's own place."""
    frequency, noise = settings.frequency_hz, settings.noise
    key = paths.node_key[plan.member]
    area_key = np.repeat(paths.node_key[paths.n_meters + plan.area], np.diff(plan.member_start))
    background = background_uv2(key, area_key, frequency, draws, noise) * dense_rise(
        settings.noise.impulses, settings.window_s
    )
    steady = lines_uv2(key, frequency, draws, noise) + settings.floor_uv2
    pattern = cycle_pattern(noise, frequency, phases.n_phases)
    return np.asarray(background[member][:, None] * pattern[phase] + steady[member][:, None])


def _crosstalk(plan: Plan, n_phases: int, settings: ChannelSettings, solved: Solved) -> Array:
    """(n_members, n_phases, n_states, n_carriers) power from neighbours' transformers, each phase on its own."""
    bus = np.repeat(plan.bus, n_phases)
    level = np.full((bus.size, settings.frequency_hz.size), settings.crosstalk_uv2)
    return solved.carried_uv2(bus, np.tile(np.arange(n_phases), plan.bus.size), level, plan.place)


@dataclass(frozen=True)
class Running:
    """Emitters of a block that run in one replication, one row a device.

    host : (n,) row of the member that hosts it;  phase : (n,) 0 to 2;  kind : (n,) row of the settings' kinds
    level_uv2 : (n, n_carriers) at the terminals of the meter, behind its filter if it has one
    """

    host: Array
    phase: Array
    kind: Array
    level_uv2: Array


def running(paths: CablePaths, plan: Plan, phases: Phases, settings: ChannelSettings, draws: Draws) -> Running:
    """The emitters of all customers of a block; each sits on the phase of its meter, in a three-phase house on a drawn
    one."""
    hosts = customers(paths, plan)
    meter = plan.member[hosts]
    own_class = None if paths.meter_class is None else paths.meter_class[meter]
    found = emitters_of(
        paths.node_key[meter], own_class, settings.frequency_hz, settings.bandwidth_hz, draws, settings.noise.emitters
    )
    own = meter[found.row]
    sits = phases.load[own]
    if np.any(sits == ALL_PHASES):
        drawn = draws.uniform("emitter phase", paths.node_key[own]) * phases.n_phases
        sits = np.where(sits == ALL_PHASES, drawn.astype(np.int8), sits)
    level = found.level_uv2
    if paths.meter_filter_db is not None:
        level = level * 10 ** (-paths.meter_filter_db[own] / 10)[:, None]
    return Running(hosts[found.row], sits, found.kind, level)


def _emissions(
    paths: CablePaths,
    plan: Plan,
    phases: Phases,
    settings: ChannelSettings,
    solved: Solved,
    draws: Draws,
    member: Array,
    phase: Array,
) -> Array | None:
    """(n_rows, n_bins, n_carriers) power from emitters at meters; None where there is none.

    An emitter holds its level at its own terminals on the phase of its meter, on a drawn one in a three-phase house.
    Emitters with the same course over the half cycle are carried together.
    """
    found = running(paths, plan, phases, settings, draws)
    if found.host.size == 0:
        return None
    host, sits = found.host, found.phase
    pattern = emitter_patterns(settings.noise.emitters, phases.n_phases)
    state = settings.states(phases.n_phases).state_of_bin
    total = np.zeros((member.size, state.size, settings.frequency_hz.size))
    area = np.repeat(np.arange(plan.area.size), np.diff(plan.member_start))
    hears = np.zeros(area.size, bool)
    hears[member] = True
    course = found.kind * phases.n_phases + sits
    for one in np.unique(course):
        rows = np.flatnonzero(course == one)
        near = hears & np.isin(area, area[host[rows]])
        heard = solved.carried_uv2(plan.place[host[rows]], sits[rows], found.level_uv2[rows], plan.place[near])
        listens = np.flatnonzero(near[member])
        at = (np.cumsum(near) - 1)[member[listens]], phase[listens]
        total[listens] += heard[at][:, state] * pattern[divmod(one, phases.n_phases)][:, None]
    return total
