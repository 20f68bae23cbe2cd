"""From the concentrator, gateway or cell to the head end: delay, availability and capacity."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..channels.parameters import parameter
from ..channels.technology import Exchanges, Outcome, Reason

Array = NDArray[Any]

_SOURCE = "choice of amiplan; replace by the contract of the backhaul supplier"


@dataclass(frozen=True)
class BackhaulKind:
    """One way from a site to the head end."""

    delay_s: float = parameter(0.1, "s", "one-way delay", _SOURCE, confidence="C", minimum=0.0)
    availability: float = parameter(
        0.995,
        "1",
        "share of days on which the data gets through by the deadline",
        _SOURCE,
        confidence="C",
        minimum=0.0,
        maximum=1.0,
    )
    capacity_bps: float = parameter(64e3, "bit/s", "sustained rate of one site", _SOURCE, confidence="C", minimum=0.0)


@dataclass(frozen=True)
class Backhaul:
    """The kinds of backhaul and who uses which."""

    own_sites: str = parameter(
        "cellular",
        "-",
        "kind used by concentrators, collectors and gateways: fibre, cellular or satellite",
        _SOURCE,
        confidence="C",
    )
    fibre: BackhaulKind = field(default_factory=lambda: BackhaulKind(0.01, 0.9995, 10e6))
    cellular: BackhaulKind = field(default_factory=lambda: BackhaulKind(0.15, 0.995, 256e3))
    satellite: BackhaulKind = field(default_factory=lambda: BackhaulKind(0.7, 0.99, 64e3))
    operator: BackhaulKind = field(default_factory=lambda: BackhaulKind(0.05, 0.999, 50e6))

    def of(self, operator: bool) -> BackhaulKind:
        """The kind that own sites, or an operator's cells, use.

        Raises ValueError for an unknown kind.
        """
        if operator:
            return self.operator
        if self.own_sites not in ("fibre", "cellular", "satellite"):
            raise ValueError(f"own_sites = {self.own_sites!r}: use fibre, cellular or satellite")
        kind: BackhaulKind = getattr(self, self.own_sites)
        return kind


def left_for_access(exchanges: Exchanges, kind: BackhaulKind) -> Exchanges:
    """The same exchanges with the time that the backhaul leaves of each window; at least a second."""
    legs = _legs_per_service(exchanges, int(exchanges.meter.max(initial=-1)) + 1).max(axis=1, initial=0)
    left = np.maximum(np.array(exchanges.window_s) - kind.delay_s * legs, 1.0)
    return replace(exchanges, window_s=tuple(float(one) for one in left))


def through_backhaul(outcome: Outcome, exchanges: Exchanges, server: Array, kind: BackhaulKind) -> Outcome:
    """The outcome at the head end: availability multiplies, delay adds, what exceeds the capacity comes too late.

    Parameters
    ----------
    server : (n_meters,) int32
        Site row of each meter; -1 for none.
    """
    carried = _capacity_ratio(exchanges, server, kind)
    p_backhaul = kind.availability * carried
    legs = _legs_per_service(exchanges, server.size)
    p_backhaul = np.where(kind.delay_s * legs < np.array(exchanges.window_s)[:, None], p_backhaul, 0.0)
    p_arrive = outcome.p_arrive * p_backhaul
    dominant = (p_backhaul < outcome.p_arrive) & (p_backhaul < 1.0)
    reason = np.where(dominant, np.int8(Reason.BACKHAUL), outcome.reason)
    return Outcome(
        p_arrive,
        outcome.latency_p50_s + kind.delay_s * legs,
        outcome.latency_p95_s + kind.delay_s * legs,
        outcome.attempts,
        reason,
    )


def _capacity_ratio(exchanges: Exchanges, server: Array, kind: BackhaulKind) -> Array:
    """(n_services, n_meters) share of the site's bytes that its backhaul carries within the window."""
    n_services, has_site = len(exchanges.services), server >= 0
    meter_bytes = np.bincount(exchanges.meter, exchanges.bytes.astype(float), minlength=server.size)
    site_bits = 8.0 * np.bincount(server[has_site], meter_bytes[has_site], minlength=1)
    window = np.array(exchanges.window_s)[:, None]
    needed = np.where(has_site, site_bits[np.where(has_site, server, 0)], 0.0)
    room = kind.capacity_bps * window
    return np.where(needed > room, room / np.maximum(needed, 1e-9), np.ones((n_services, server.size)))


def _legs_per_service(exchanges: Exchanges, n_meters: int) -> Array:
    flat = exchanges.service.astype(np.int64) * n_meters + exchanges.meter
    counts = np.bincount(flat, minlength=len(exchanges.services) * n_meters)
    return counts.reshape(len(exchanges.services), n_meters)
