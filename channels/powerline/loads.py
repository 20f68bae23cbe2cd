"""Houses as the power line sees them: appliances drawn behind every meter, in two states of the mains.

A circuit is one phase of one customer: a riser in series, the capacitance of the wiring across the board, and
in parallel to it every appliance behind its own piece of installation cable::

    meter --- riser --+-- wiring
                      +-- feed --+-- X capacitor
                      |          +-- main branch R, L, C (always, or while the bridge conducts)
                      +-- feed --...

Which devices there are, which run at the hour, and what they are made of are keyed draws from `appliances`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc

from ..draws import Draws, mix
from ..paths import CUSTOMER_CLASSES
from .appliances import INSTALLATION_PARTS, PARTS, ApplianceTable, appliance_table
from .load_circuits import fill_circuits

Array = NDArray[Any]

LOWEST_HZ, HIGHEST_HZ = 9e3, 500e3
"""Frequencies for which the tables are meant."""

SKIN_REFERENCE_HZ = 100e3
"""Frequency at which resistances of installation cables are stated; they grow with the root (skin effect)."""

CHUNK_CIRCUITS = 20_000
"""Circuits whose devices are drawn at a time, so that memory stays bounded."""


@dataclass(frozen=True, eq=False)
class Devices:
    """Devices on some circuits, circuit by circuit.

    start : (n_circuits + 1,) int64 first device of each circuit, and the end
    part : (n_devices, 7) values of `PARTS` in SI units
    running : (n_devices,) bool, else only the X capacitor is on the line
    rectifier : (n_devices,) bool, the main branch lies behind a bridge
    installation : (n_circuits, 4) values of `INSTALLATION_PARTS` in SI units
    """

    start: Array
    part: Array
    running: Array
    rectifier: Array
    installation: Array


def house_admittance_s(
    circuit_key: Array,
    customer_key: Array,
    circuit_class: Array,
    circuit_share: Array,
    frequency_hz: Array,
    draws: Draws,
    *,
    hour: float,
    impedance_factor: float,
    table: ApplianceTable | None = None,
) -> Array:
    """Admittance of circuits at the meter, between phase and neutral, in one replication.

    Parameters
    ----------
    circuit_key : (n_circuits,) uint64
        Stable keys; a customer with three circuits needs three keys.
    customer_key : (n_circuits,) uint64
        Key of the customer behind each circuit, the same on its three circuits: three-phase appliances are drawn by it,
        once per customer. The circuit's own key where a customer has one circuit.
    circuit_class : (n_circuits,) int8
        Row of ``paths.CUSTOMER_CLASSES``.
    circuit_share : (n_circuits,)
        Share of the customer's single-phase appliances on this circuit, above 0 to 1: 1 for a single-phase customer,
        1/3 each for three phases. Three-phase appliances stand on every circuit, with the same parts.
    frequency_hz : (n_carriers,) from 9 to 500 kHz
    hour
        Time of day, 0 to 24.
    impedance_factor
        Multiplies every impedance, positive.
    table
        None for the built-in tables.

    Returns
    -------
    (2, n_circuits, n_carriers) complex128 [S] with positive real part: row 0 while rectifiers block, row 1 while they
    conduct. Raises ValueError for a class, share, frequency, hour or factor outside its limits.

    References
    ----------
    Parallel and series circuits. The tables are estimates (confidence C), revised until nine tenths of single-phase
    houses, flats and shops lay within the 1 to 21 ohm of I. H. Cavdar, E. Karadeniz, Sensors 8 (2008) 8027, 10 to
    170 kHz: agreement with that range is no evidence for them.
    """
    frequency = np.asarray(frequency_hz, dtype=np.float64)
    _check(circuit_class, circuit_share, frequency, impedance_factor)
    table = appliance_table() if table is None else table
    omega, skin = 2 * np.pi * frequency, np.sqrt(frequency / SKIN_REFERENCE_HZ)
    admittance = np.empty((2, circuit_key.size, frequency.size), np.complex128)
    for first in range(0, circuit_key.size, CHUNK_CIRCUITS):
        some = slice(first, first + CHUNK_CIRCUITS)
        circuit = circuit_key[some], customer_key[some], circuit_class[some], circuit_share[some]
        drawn = _remembered(*(_Column(column) for column in circuit), draws, hour, table)
        fill_circuits(
            drawn.start,
            drawn.part,
            drawn.running,
            drawn.rectifier,
            drawn.installation,
            omega,
            skin,
            admittance[:, some],
        )
    admittance /= impedance_factor
    return admittance


def _check(circuit_class: Array, circuit_share: Array, frequency_hz: Array, impedance_factor: float) -> None:
    """Refuse what no circuit can be."""
    if np.any(bad := (circuit_class < 0) | (circuit_class >= len(CUSTOMER_CLASSES))):
        row = int(np.argmax(bad))
        raise ValueError(f"circuit {row} has class {circuit_class[row]}; give 0 to {len(CUSTOMER_CLASSES) - 1}")
    if np.any(bad := ~((circuit_share > 0) & (circuit_share <= 1))):
        row = int(np.argmax(bad))
        raise ValueError(f"circuit {row} has {circuit_share[row]} of its customer's appliances; give above 0 to 1")
    if np.any(bad := ~((frequency_hz >= LOWEST_HZ) & (frequency_hz <= HIGHEST_HZ))):
        raise ValueError(
            f"loads are known from 9 to 500 kHz; carrier at {frequency_hz[np.argmax(bad)]:g} Hz is outside"
        )
    if not 0 < impedance_factor < np.inf:
        raise ValueError(f"load_impedance_factor {impedance_factor} must be positive; 1 changes nothing")


class _Column:
    """A column compared by what it holds."""

    def __init__(self, values: Array) -> None:
        self.values = np.ascontiguousarray(values)
        self._known = self.values.dtype.str, self.values.tobytes()

    def __hash__(self) -> int:
        return hash(self._known)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Column) and other._known == self._known


@lru_cache(maxsize=8)
def _remembered(
    circuit_key: _Column,
    customer_key: _Column,
    circuit_class: _Column,
    circuit_share: _Column,
    draws: Draws,
    hour: float,
    table: ApplianceTable,
) -> Devices:
    """`devices`, the last few remembered: changes that are tried in an area leave what its customers own alone."""
    circuit = circuit_key.values, customer_key.values, circuit_class.values, circuit_share.values
    return devices(*circuit, draws, hour=hour, table=table)


def devices(
    circuit_key: Array,
    customer_key: Array,
    circuit_class: Array,
    circuit_share: Array,
    draws: Draws,
    *,
    hour: float,
    table: ApplianceTable,
) -> Devices:
    """Draw what stands on every circuit and what of it runs; parameters as in `house_admittance_s`.

    The number of devices of a row is binomial, ``most`` tries with the mean of the class. One uniform number of the
    circuit, or of the customer for a three-phase row, is held against its distribution for owned and for running
    devices: a busier hour or a larger share keeps the devices of a lesser one, and nothing runs that is not owned.
    """
    group, (group_class, group_share) = _groups(circuit_class, circuit_share)
    at_hour = table.running_at(hour)
    circuit, part, running, rectifier = [], [], [], []
    for row, name in enumerate(table.names):
        most = table.most[row]
        whose, share = (customer_key, 1.0) if table.all_phases[row] else (circuit_key, group_share)
        mean = table.mean_count[row, group_class] * share / most
        uniform = draws.uniform(f"appliance {name}", whose)[:, None]
        runs = np.sum(uniform < _at_least(most, mean * at_hour[row])[group], axis=1)
        there = np.sum(uniform < _at_least(most, mean)[group], axis=1) if table.connected[row] else runs
        owner = np.repeat(np.arange(circuit_key.size), there)
        number = np.arange(owner.size) - np.repeat(np.cumsum(there) - there, there)
        key = mix(whose[owner] ^ mix(number.astype(np.uint64)))
        circuit.append(owner)
        part.append(_log_even(table.part_low[row], table.part_high[row], PARTS, name, key, draws))
        running.append(number < runs[owner])
        rectifier.append(np.full(owner.size, table.rectifier[row]))
    owners = np.concatenate(circuit)
    order = np.argsort(owners, kind="stable")
    low, high = table.installation_low[circuit_class], table.installation_high[circuit_class]
    return Devices(
        np.searchsorted(owners[order], np.arange(circuit_key.size + 1)),
        np.concatenate(part)[order],
        np.concatenate(running)[order],
        np.concatenate(rectifier)[order],
        _log_even(low, high, INSTALLATION_PARTS, "installation", circuit_key, draws),
    )


def _groups(circuit_class: Array, circuit_share: Array) -> tuple[Array, tuple[Array, Array]]:
    """Circuits of one class and share together: group of each circuit, class and share of each group."""
    pairs = np.stack([circuit_class.astype(np.float64), circuit_share.astype(np.float64)])
    both, group = np.unique(pairs, axis=1, return_inverse=True)
    return np.asarray(group).ravel(), (both[0].astype(np.int64), both[1])


def _at_least(most: int, probability: Array) -> Array:
    """Probability of at least 1, 2 .. ``most`` of ``most`` independent devices, (n, most)."""
    return np.asarray(bdtrc(np.arange(most), most, probability[:, None]))


def _log_even(low: Array, high: Array, parts: dict[str, float], name: str, key: Array, draws: Draws) -> Array:
    """Parts drawn between their limits, even in the logarithm, (n, n_parts); 0 where both limits are 0."""
    low, high = np.broadcast_to(low, (key.size, len(parts))), np.broadcast_to(high, (key.size, len(parts)))
    value = np.array(low)
    for column, part in enumerate(parts):
        if np.any(wide := high[:, column] > low[:, column]):
            uniform = draws.uniform(f"{part} of {name}", key[wide])
            value[wide, column] *= (high[wide, column] / low[wide, column]) ** uniform
    return value
