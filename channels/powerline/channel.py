"""The power line channel of a block of areas in one replication: solved network, transmitters, noise at receivers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws
from ..paths import CablePaths
from .channel_settings import ChannelSettings
from .coupling import Driven, drive
from .network import Solved, solve, solve_meshed
from .phases import ALL_PHASES, Branches, Phases, coupled_phases, draw_phases
from .plans import Plan
from .reception import Reception, reception
from .terminals import shunts

Array = NDArray[Any]


@dataclass(frozen=True)
class AreaChannel:
    """Some areas of one replication, ready to be asked for any pair of their members.

    phase : (n_members,) phase each member couples to, or ``ALL_PHASES``;  coupled : (n_members, n_phases) bool
    of a member that takes no part, `area_channel`, admittance, voltage and row of the noise are 0, 0 and -1
    y_seen_s : admittance each member sees, its own idle impedance included, see `Solved.seen_s`
    driven : what each member's transmitter does, per volt of source voltage
    state_of_bin : (n_bins,) state of the loads in each part of the half cycle
    """

    plan: Plan
    solved: Solved
    phase: Array
    coupled: Array
    y_seen_s: Array
    driven: Driven
    reception: Reception
    state_of_bin: Array

    def over_noise(self, carrier_uv2: float) -> Array:
        """(n_rows, n_bins, n_carriers) float32: carrier level over noise, rows as in `Reception`."""
        return np.asarray(carrier_uv2 / self.reception.noise_uv2, np.float32)


def drawn_phases(paths: CablePaths, branch: Branches, settings: ChannelSettings, draws: Draws) -> Phases:
    """Phases of all nodes in this replication, as the settings want them."""
    return draw_phases(
        paths,
        branch,
        draws,
        phase_model=settings.phase_model,
        site_phases=settings.site_phases,
        meter_coupler_phases=settings.meter_coupler_phases,
    )


def area_channel(
    paths: CablePaths,
    plan: Plan,
    phases: Phases,
    settings: ChannelSettings,
    draws: Draws,
    part: Array | None = None,
) -> AreaChannel:
    """Solve a block of areas.

    Parameters
    ----------
    phases : of all nodes of the paths in this replication, see `draw_phases`
    part : rows of the members that send or listen; None for all. Everybody's loads and emitters count in any case

    Raises ValueError as the parts do (cables, ratings, loads, noise).
    """
    shunt = shunts(paths, plan, phases, settings, draws)
    edge_phase, n = phases.edge[plan.edge], plan.member.size
    rows = np.arange(n) if part is None else np.asarray(part)
    if plan.tree is None:
        solved = solve_meshed(plan.line, shunt, edge_phase, np.unique(plan.place[rows]))
    else:
        solved = solve(plan.line, plan.tree, shunt, edge_phase)
    phase = phases.coupler[plan.member]
    coupled = coupled_phases(phase, phases.n_phases)
    y_seen = solved.seen_s(plan.place[rows])
    driven = drive(y_seen, coupled[rows], settings.driver)
    noise = reception(paths, plan, phases, settings, solved, draws, rows)
    state = settings.states(phases.n_phases).state_of_bin
    phase = np.where(coupled.all(1), ALL_PHASES, phase)
    if rows.size < n:
        y_seen = _spread(y_seen, rows, n)
        driven = Driven(_spread(driven.voltage, rows, n), _spread(driven.throttle, rows, n))
    return AreaChannel(plan, solved, phase, coupled, y_seen, driven, noise, state)


def _spread(column: Array, rows: Array, n: int) -> Array:
    """Values of some of n rows among zeros."""
    whole = np.zeros((n, *column.shape[1:]), column.dtype)
    whole[rows] = column
    return whole
