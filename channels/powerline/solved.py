"""What every solved network answers, however it was solved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class PairPower:
    """Powers of all pairs of some sources and receivers.

    power : (n, m, n_states, n_carriers) float32 |V|^2 on the heard phase, in the square of the source's unit
    level_db : (n, m, n_phases) float32 mean over states and carriers of 10 log10 |V|^2; -inf on absent phases
    heard : (n, m) int8 phase that the receiver hears

    Pairs whose mean level on the heard phase lies below the floor have power 0 and level -inf on all phases.
    """

    power: Array
    level_db: Array
    heard: Array


class Solved(Protocol):
    """A network with everything connected; P phases, S states of the mains half cycle, K carriers.

    ``method`` says how it was solved. A node below a single-phase edge has that phase only: voltages and admittances
    of the others are 0, and a source there uses its own phase alone.
    """

    @property
    def method(self) -> str:
        """How the network was solved."""
        ...

    def seen_s(self, node: Array) -> Array:
        """(n, S, P, P, K) complex128 admittance looking into the network at nodes, everything connected [S]."""
        ...

    def voltages(self, source_node: Array, source_v: Array, node: Array) -> Array:
        """(n, m, S, P, K) complex128 at ``node`` (m,) while ``source_node`` (n,) is held at ``source_v`` (n, S, P, K).

        Every phase of a source node is held, at 0 where ``source_v`` says so.
        """
        ...

    def pair_power(
        self, source_node: Array, source_v: Array, receiver_node: Array, receiver_phase: Array, floor_db: float
    ) -> PairPower:
        """Powers at ``receiver_node`` (m,) of sources held at ``source_v`` (n, S, P, K).

        ``receiver_phase`` (m,): 0 to P - 1, or -1 for the strongest; ``floor_db``: mean level below which a pair is
        left out [dB of the square of the source's unit].
        """
        ...

    def carried_uv2(self, source_node: Array, source_phase: Array, level_uv2: Array, node: Array) -> Array:
        """(m, P, S, K) float64 sum of the powers of uncorrelated sources at ``node`` [uV^2].

        Each source holds ``level_uv2`` (n, K) at its own terminals between ``source_phase`` (n,) and neutral and
        leaves the other phases alone.
        """
        ...


def check_phases(phase_of_node: Array, wanted: Array, what: str) -> None:
    """Raise ValueError naming the first row that asks for a phase which its node has not.

    Parameters
    ----------
    phase_of_node : (n,) -1 for a node with three phases, else its only one;  wanted : (n,) -1 for any
    """
    wrong = (wanted >= 0) & (phase_of_node >= 0) & (wanted != phase_of_node)
    if np.any(wrong):
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{what} {row} is on phase {int(wanted[row])}, its node has phase {int(phase_of_node[row])} only"
        )
