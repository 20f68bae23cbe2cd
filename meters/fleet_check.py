"""Templates against real meters: the same bytes, or a fault of ours.

A few meters of every kind, with short, middle and long answers, answer a real head end; what they say is compared with
what the templates made for them. What they push is compared with the lengths that the planner counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .client import HeadEnd, settings_of
from .commission import commission
from .device.server import MeterServer
from .dlms.wrapper import HEADER_BYTES
from .draws import uniforms
from .fleet import answer_bytes
from .fleet_data import TEMPLATES, data_lengths, drawn_intervals, readings_of
from .fleet_push import notification_bytes
from .frame_labels import UP, frames_of
from .identity import identities_of
from .load import kind_codes, registers
from .services import VARIABLE_ENCODINGS, can_deliver, exchange_legs, is_profile
from .settings import ServiceSettings
from .turns import turns_of

Array = NDArray[Any]

PUSHES = ("register", "profile", "daily_billing", "event_log", "last_gasp")
LENGTH_CLASSES = 3
PER_STRATUM = 12
MOST_METERS = 4096


class TemplateFault(RuntimeError):
    """A template and a real meter do not say the same: a fault of ours, never of the user's input."""


@dataclass(frozen=True)
class Agreement:
    """How many answers were compared, all equal byte for byte; strata are kind x length class.

    n_pushes : services pushed whose notifications are as many and as long as the planner counts
    """

    n_answers: int
    n_meters: int
    n_strata: int
    n_bytes: int
    n_pushes: int = 0


def agreed(
    keys: Array,
    kind: Array,
    day: int,
    settings: ServiceSettings,
    seed: int = 0,
    *,
    services: tuple[str, ...] = TEMPLATES,
) -> Agreement:
    """Compare template and meter for a sample of these meters, the same one in every run.

    Parameters
    ----------
    keys : (n,) uint64 stable keys;  kind : (n,) names or codes of `load.KIND_NAMES`
    day, settings, seed
        As in `fleet_data.readings_of`; association and framing do not change what is compared.
    services
        What is asked for and pushed, where it has a template or can be pushed; others are left out.

    Returns
    -------
    Agreement. Raises TemplateFault naming the meter, the service and the first byte or length that differs.
    """
    keys, codes = _few(np.asarray(keys), kind_codes(kind), seed)
    alone = replace(settings, association="pre_established", read_counter=False, framing="wrapper")
    chosen, n_strata = _sample(keys, codes, data_lengths("profile", keys, codes, day, alone, seed), seed)
    n_answers = n_bytes = n_pushes = 0
    for service in services if chosen.size else ():
        some = _Sample(keys[chosen], codes[chosen], day, settings_of(service, alone), seed)
        name = "profile" if is_profile(service) else service
        if name in TEMPLATES:
            n_answers, n_bytes = n_answers + chosen.size, n_bytes + _compare(name, some)
        if name in PUSHES and can_deliver(name, "push", some.settings):
            n_pushes += _compare_push(name, some)
    return Agreement(n_answers, chosen.size, n_strata, n_bytes, n_pushes)


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


@dataclass(frozen=True)
class _Sample:
    """The meters compared."""

    keys: Array
    codes: Array
    day: int
    settings: ServiceSettings
    seed: int

    def real(self) -> Iterator[tuple[str, MeterServer, HeadEnd]]:
        """Name for a fault, meter and head end of each."""
        day, settings, seed = self.day, self.settings, self.seed
        plain = replace(settings, profile_values="registers")
        totals = readings_of(self.keys, self.codes, day, plain, seed).profile
        start = registers(self.keys, self.codes, day, seed, n_intervals=drawn_intervals(settings))
        for row, key in enumerate(self.keys):
            meter = commission(int(key), totals[row, -1], totals[row], day, settings, seed=seed, start_wh=start[row])
            yield f"meter with key {key}", *meter


def _compare(service: str, some: _Sample) -> int:
    """Bytes compared; TemplateFault at the first that differs."""
    settings, seed = some.settings, some.seed
    identities = identities_of(some.keys, seed, settings.suite) if settings.ciphered else None
    readings = readings_of(some.keys, some.codes, some.day, settings, seed, service=service)
    made = answer_bytes(service, readings, settings, identities)
    for row, (name, server, head_end) in enumerate(some.real()):
        turns = turns_of(server, head_end, service)
        real = [one[HEADER_BYTES:] for way, turn in turns if way == UP for one in frames_of(turn, "wrapper")]
        _check_equal(b"".join(made.of(row)), b"".join(real), f"{name}, {service}")
    return int(made.start[-1])


def _compare_push(service: str, some: _Sample) -> int:
    """Meters compared; TemplateFault at the first whose notifications differ in number or length from those counted."""
    counted = _notifications(service, some)
    for expected, (name, server, _) in zip(counted, some.real(), strict=True):
        real = [len(one) - HEADER_BYTES for one in server.push(service)]
        if real != expected:
            raise TemplateFault(f"{name}, push of {service}: {expected} bytes counted, {real} sent; please report this")
    return len(counted)


def _notifications(service: str, some: _Sample) -> list[list[int]]:
    """Lengths of each meter's notifications, as the planner counts them."""
    if service != "profile" or some.settings.encoding not in VARIABLE_ENCODINGS:
        alike = exchange_legs(service, "push", some.settings).bytes - HEADER_BYTES
        return [alike.tolist()] * some.keys.size
    length, n_parts = notification_bytes(some.keys, some.codes, some.day, some.settings, some.seed)
    return [one.tolist() for one in np.split(length, np.cumsum(n_parts)[:-1])]


def _check_equal(made: bytes, real: bytes, what: str) -> None:
    if made == real:
        return
    at = next((n for n, (a, b) in enumerate(zip(made, real, strict=False)) if a != b), min(len(made), len(real)))
    raise TemplateFault(
        f"{what}: template and meter differ from byte {at} on, {made[at : at + 8].hex() or 'end'} against "
        f"{real[at : at + 8].hex() or 'end'} ({len(made)} and {len(real)} bytes); please report this"
    )
