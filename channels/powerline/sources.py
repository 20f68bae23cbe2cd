"""Whose devices a receiver hears: the noise at some receivers of one area, customer by customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws
from ..paths import CablePaths
from ..scenario import Scenario
from .channel import AreaChannel, area_channel, drawn_phases
from .emission import emitter_patterns
from .line_parameters import LineParameters
from .plans import plan, plans
from .reception import Running, running

Array = NDArray[Any]


@dataclass(frozen=True)
class NoiseSources:
    """What each customer's devices cost some receivers in one replication.

    host : (n_hosts,) meter rows of the customers with devices running
    cost_db : (n_receivers, n_hosts) by how much the SNR would rise if this customer alone emitted nothing; mean over
        carriers and half cycle, on the receiver's worst phase
    emitted_db : (n_receivers,) the same for all customers together
    """

    host: Array
    cost_db: Array
    emitted_db: Array


def noise_sources(
    paths: CablePaths, line: LineParameters, scenario: Scenario, draws: Draws, site: int, receiver: Array
) -> NoiseSources:
    """Take the noise apart at some receivers of the area of one site.

    Parameters
    ----------
    receiver : (n_receivers,) node numbers, of the site's area

    Returns
    -------
    NoiseSources. Raises ValueError where a receiver is not in the area, and as `assess_links` does.
    """
    settings = line.channel(scenario)
    survey = plans(paths, settings.frequency_hz).survey
    block = plan(paths, survey, np.array([site]), settings.frequency_hz)
    phases = drawn_phases(paths, survey.branch, settings, draws)
    member = _member(block.member, receiver, site)
    channel = area_channel(paths, block, phases, settings, draws, np.unique(member))
    found = running(paths, block, phases, settings, draws)
    host, back = np.unique(found.host, return_inverse=True)
    if host.size == 0:
        return NoiseSources(host, np.zeros((member.size, 0)), np.zeros(member.size))
    pattern = emitter_patterns(settings.noise.emitters, phases.n_phases)[found.kind, found.phase]
    row = channel.reception.row[member]
    heard = row >= 0
    noise = channel.reception.noise_uv2[np.maximum(row, 0)]
    cost = np.zeros((member.size, host.size))
    total = np.zeros_like(noise)
    for one in range(host.size):
        power = _arriving(channel, found, pattern, np.flatnonzero(back == one), member)
        total += power
        cost[:, one] = _rise_db(noise, power, heard)
    return NoiseSources(block.member[host], cost, _rise_db(noise, total, heard))


def _member(members: Array, receiver: Array, site: int) -> Array:
    """Rows of receivers among the members of an area."""
    order = np.argsort(members)
    at = np.minimum(np.searchsorted(members[order], receiver), members.size - 1)
    row = order[at]
    if np.any(lost := members[row] != receiver):
        raise ValueError(f"node {int(np.asarray(receiver)[np.argmax(lost)])} is not in the area of site {site}")
    return np.asarray(row)


def _arriving(channel: AreaChannel, found: Running, pattern: Array, devices: Array, member: Array) -> Array:
    """(n_receivers, n_phases, n_bins, n_carriers) power of the devices of one customer: those on one phase together."""
    place, state = channel.plan.place, channel.state_of_bin
    power = np.zeros((member.size, channel.coupled.shape[1], state.size, found.level_uv2.shape[1]))
    for phase in np.unique(found.phase[devices]):
        mine = devices[found.phase[devices] == phase]
        per_uv2 = channel.solved.carried_uv2(
            place[found.host[mine[:1]]], np.array([phase]), np.ones((1, power.shape[3])), place[member]
        )
        sent = np.einsum("db,dk->bk", pattern[mine], found.level_uv2[mine])
        power += per_uv2[:, :, state] * sent
    return power


def _rise_db(noise: Array, power: Array, heard: Array) -> Array:
    """(n_receivers,) mean rise of the SNR without some power, on the phase where it rises most."""
    # what is left is never nothing: the receiver's own noise stays
    rise = -10 * np.log10(np.maximum(1 - power / noise, 1e-9)).mean(axis=(2, 3))
    return np.asarray(np.where(heard, rise, 0.0).max(axis=1))
