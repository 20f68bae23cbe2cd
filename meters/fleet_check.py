"""Templates against real meters: the same bytes, or a fault of ours.

A few meters of every kind, with short, middle and long answers, answer a real head end; what they say is compared with
what the templates made for them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .commission import commission
from .dlms.wrapper import HEADER_BYTES
from .draws import uniforms
from .fleet import answer_bytes
from .fleet_data import data_lengths, drawn_intervals, readings_of
from .frame_labels import UP, frames_of
from .identity import identities_of
from .load import kind_codes, registers
from .settings import ServiceSettings
from .turns import turns_of

Array = NDArray[Any]

SERVICES = ("register", "profile")
"""Services that have templates."""
LENGTH_CLASSES = 3
PER_STRATUM = 4
MOST_METERS = 4096


class TemplateFault(RuntimeError):
    """A template and a real meter do not say the same: a fault of ours, never of the user's input."""


@dataclass(frozen=True)
class Agreement:
    """How many answers were compared, all equal byte for byte; strata are kind x length class."""

    n_answers: int
    n_meters: int
    n_strata: int
    n_bytes: int


def agreed(keys: Array, kind: Array, day: int, settings: ServiceSettings, seed: int = 0) -> Agreement:
    """Compare template and meter for a sample of these meters, the same one in every run.

    Parameters
    ----------
    keys : (n,) uint64 stable keys;  kind : (n,) names or codes of `load.KIND_NAMES`
    day, settings, seed
        As in `fleet_data.readings_of`; association and framing do not change what is compared.

    Returns
    -------
    Agreement. Raises TemplateFault naming the meter, the service and the first byte that differs.
    """
    keys, codes = _few(np.asarray(keys), kind_codes(kind), seed)
    alone = replace(settings, association="pre_established", read_counter=False, framing="wrapper")
    chosen, n_strata = _sample(keys, codes, data_lengths("profile", keys, codes, day, alone, seed), seed)
    n_bytes = sum(_compare(service, keys[chosen], codes[chosen], day, alone, seed) for service in SERVICES)
    return Agreement(len(SERVICES) * chosen.size, chosen.size, n_strata, n_bytes)


def _few(keys: Array, codes: Array, seed: int) -> tuple[Array, Array]:
    """At most ``MOST_METERS`` of them, by a draw on the key: lengths of more need not be known to choose from."""
    if keys.size <= MOST_METERS:
        return keys, codes
    rows = np.sort(np.argsort(uniforms(seed, "template check", keys), kind="stable")[:MOST_METERS])
    return keys[rows], codes[rows]


def _sample(keys: Array, codes: Array, length: Array, seed: int) -> tuple[Array, int]:
    """Rows of the meters compared, and from how many strata; a stratum gives its first by a draw on the key."""
    if keys.size == 0:
        return np.zeros(0, np.int64), 0
    edges = np.quantile(length, np.arange(1, LENGTH_CLASSES) / LENGTH_CLASSES)
    stratum = codes.astype(np.int64) * LENGTH_CLASSES + np.searchsorted(edges, length, side="left")
    order = np.lexsort((uniforms(seed, "template check", keys), stratum))
    first = np.flatnonzero(np.diff(stratum[order], prepend=-1))
    place = np.arange(order.size) - np.repeat(first, np.diff(np.append(first, order.size)))
    return np.sort(order[place < PER_STRATUM]), first.size


def _compare(service: str, keys: Array, codes: Array, day: int, settings: ServiceSettings, seed: int) -> int:
    """Bytes compared; TemplateFault at the first that differs."""
    identities = identities_of(keys, seed, settings.suite) if settings.ciphered else None
    made = answer_bytes(service, readings_of(keys, codes, day, settings, seed), settings, identities)
    totals = readings_of(keys, codes, day, replace(settings, profile_values="registers"), seed).profile
    start = registers(keys, codes, day, seed, n_intervals=drawn_intervals(settings))
    for row, key in enumerate(keys):
        meter = commission(int(key), totals[row, -1], totals[row], day, settings, seed=seed, start_wh=start[row])
        turns = turns_of(*meter, service)
        real = [one[HEADER_BYTES:] for way, turn in turns if way == UP for one in frames_of(turn, "wrapper")]
        _check_equal(b"".join(made.of(row)), b"".join(real), f"meter with key {key}, {service}")
    return int(made.start[-1])


def _check_equal(made: bytes, real: bytes, what: str) -> None:
    if made == real:
        return
    at = next((n for n, (a, b) in enumerate(zip(made, real, strict=False)) if a != b), min(len(made), len(real)))
    raise TemplateFault(
        f"{what}: template and meter differ from byte {at} on, {made[at : at + 8].hex() or 'end'} against "
        f"{real[at : at + 8].hex() or 'end'} ({len(made)} and {len(real)} bytes); please report this"
    )
