"""What hangs on the network in one replication: houses, idle modems and transformers as shunts at the nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..draws import Draws, mix
from ..paths import CablePaths
from .channel_settings import ChannelSettings
from .coupling import transformer_admittance_s
from .loads import house_admittance_s
from .phases import ALL_PHASES, Phases, coupled_phases
from .plans import Plan

Array = NDArray[Any]


@dataclass(frozen=True)
class Circuits:
    """One phase of one customer each.

    key, customer : (n,) uint64 of the circuit and of its customer, the same for a customer with one circuit
    filter_ohm : (n,) in series with the circuit;  meter_class : (n,) int;  share : (n,) of the customer's appliances
    place : (n,) local node;  phase : (n,) 0 to 2
    """

    key: Array
    customer: Array
    filter_ohm: Array
    meter_class: Array
    share: Array
    place: Array
    phase: Array


def circuits(paths: CablePaths, plan: Plan, phases: Phases) -> Circuits:
    """Circuits of all customers of a block: one for a single-phase customer, three equal ones for three phases."""
    row = customers(paths, plan)
    meter, place = plan.member[row], plan.place[row]
    series = np.zeros(meter.size) if paths.meter_filter_ohm is None else paths.meter_filter_ohm[meter]
    own_class = np.zeros(meter.size, np.int8) if paths.meter_class is None else paths.meter_class[meter]
    key, load = paths.node_key[meter], phases.load[meter]
    three = load == ALL_PHASES
    copies = np.where(three, phases.n_phases, 1)
    row = np.repeat(np.arange(meter.size), copies)
    turn = np.arange(row.size) - np.repeat(np.cumsum(copies) - copies, copies)
    phase = np.where(three[row], turn, load[row])
    with np.errstate(over="ignore"):
        per_phase = mix(key[row] + np.uint64(1) + turn.astype(np.uint64))
    own = np.where(three[row], per_phase, key[row])
    return Circuits(own, key[row], series[row], own_class[row], 1 / copies[row], place[row], phase.astype(np.int64))


def customers(paths: CablePaths, plan: Plan) -> Array:
    """Rows of the members of a block that have a customer behind them: meters, but no repeaters."""
    is_meter = plan.member < paths.n_meters
    if paths.meter_bare is not None:
        is_meter &= ~np.append(paths.meter_bare, np.zeros(paths.n_sites, bool))[plan.member]
    return np.flatnonzero(is_meter)


def shunts(paths: CablePaths, plan: Plan, phases: Phases, settings: ChannelSettings, draws: Draws) -> Array:
    """Everything connected at the nodes of a block.

    Returns
    -------
    (n_states, n_nodes, n_phases, n_carriers) complex128, phase to neutral [S]: loads in every state of the mains half
    cycle, idle modems on the phases they couple to, the transformer at each bus.
    """
    states = settings.states(phases.n_phases).conducting
    what = circuits(paths, plan, phases)
    load_s = house_admittance_s(
        what.key,
        what.customer,
        what.meter_class,
        what.share,
        settings.frequency_hz,
        draws,
        hour=settings.hour,
        impedance_factor=settings.load_impedance_factor,
        table=settings.appliances,
    )
    if paths.meter_filter_ohm is not None:
        load_s = load_s / (1 + what.filter_ohm[:, None] * load_s)
    steady = np.zeros((plan.line.n_nodes, phases.n_phases, settings.frequency_hz.size), complex)
    coupled = coupled_phases(phases.coupler[plan.member], phases.n_phases)
    member, phase = np.nonzero(coupled)
    np.add.at(steady, (plan.place[member], phase), 1 / settings.driver.idle_ohm)
    steady[plan.bus] += transformer_admittance_s(
        paths.site_rated_kva[plan.area], settings.frequency_hz, **settings.transformer
    )[:, None, :]
    shunt = np.repeat(steady[None], len(states), axis=0)
    _hang(shunt, what.place, what.phase, np.asarray(load_s, complex), states)
    return shunt


@njit(cache=True, nogil=True)
def _hang(shunt: Array, place: Array, phase: Array, load_s: Array, conducting: Array) -> None:
    """Add the loads, conducting or blocking as their phase is in each state."""
    for state in range(shunt.shape[0]):
        for row in range(place.size):
            load = load_s[1 if conducting[state, phase[row]] else 0, row]
            shunt[state, place[row], phase[row]] += load
