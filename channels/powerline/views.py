"""The same physics to look at: one feeder area from its concentrator, and every number of one link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws
from ..paths import CablePaths
from ..phy.plc_adaptation import Adaptation
from ..phy.plc_choice import Choice, choose
from ..phy.plc_mapping import state_share
from ..scenario import Scenario
from .channel import AreaChannel, area_channel, drawn_phases
from .channel_settings import ChannelSettings
from .coupling import access_impedance_ohm
from .impulses import erasure_ratio
from .line_parameters import LineParameters
from .pairs import area_pairs
from .plans import plan, plans

Array = NDArray[Any]


@dataclass(frozen=True)
class FeederView:
    """One area as its concentrator sees it and is seen, in one replication.

    frequency_hz : (n_carriers,);  state_share : (n_states,) share of the half cycle that the loads spend in each state
    node : (n,) node numbers of the members, the concentrator among them, by distance from it
    distance_m : (n,) along the cables;  phase : (n,) 0 to 2 or -1 for all three
    linked : (n,) bool, the pair is a link of the study; others are too far apart along the cables to be looked at
    loss_db : (n, n_carriers) from the concentrator's source voltage to the member's terminals, mean power over time;
        inf beyond the reach
    access_ohm : (n, n_states, n_carriers) complex impedance that the member's modem looks into
    noise_dbuv, worst_noise_dbuv : (n, n_carriers) mean over the half cycle, and in its loudest part
    snr_up_db, snr_down_db : (n, n_carriers) mean over the half cycle; at the concentrator itself -inf
    mode_up, mode_down : (n,) mode chosen on the direct link; -1 for none, and where the pair is no link of the study
    """

    frequency_hz: Array
    state_share: Array
    node: Array
    distance_m: Array
    linked: Array
    phase: Array
    loss_db: Array
    access_ohm: Array
    noise_dbuv: Array
    worst_noise_dbuv: Array
    snr_up_db: Array
    snr_down_db: Array
    mode_up: Array
    mode_down: Array


@dataclass(frozen=True)
class Direction:
    """One direction of one link.

    loss_db : (n_carriers,) from source voltage to receiver, mean power over time
    noise_dbuv, snr_db : (n_bins, n_carriers)
    robust_snr_db : effective SNR of the robust mode on all carriers
    mode, mode_snr_db : mode chosen (-1 for none) and its effective SNR on the carriers it uses
    """

    loss_db: Array
    noise_dbuv: Array
    snr_db: Array
    robust_snr_db: float
    mode: int
    mode_snr_db: float


@dataclass(frozen=True)
class End:
    """One end of one link.

    phase : 0 to 2, -1 for all three;  injected_dbuv : (n_carriers,) at the terminals, mean power over time, strongest
        phase;  throttle_db : what the current limit takes;  access_ohm : (n_states, n_carriers) complex
    """

    phase: int
    injected_dbuv: Array
    throttle_db: float
    access_ohm: Array


@dataclass(frozen=True)
class LinkNumbers:
    """Every number of one link in one replication; up runs from the first end to the second.

    frequency_hz : (n_carriers,);  state_of_bin : (n_bins,) state of the loads in each part of the half cycle
    method : how the network was solved
    """

    frequency_hz: Array
    state_of_bin: Array
    method: str
    first: End
    second: End
    up: Direction
    down: Direction


def feeder_view(
    paths: CablePaths, line: LineParameters, adaptation: Adaptation, scenario: Scenario, draws: Draws, site: int
) -> FeederView:
    """Numbers of all members of the area of one site, on carriers.

    Raises ValueError where the site feeds no link, and as `assess_links` does.
    """
    settings = line.channel(scenario)
    channel = _one_area(paths, settings, draws, site)
    member = channel.plan.member
    others = np.arange(member.size)
    own = np.flatnonzero(member == paths.n_meters + site)
    out = _ways(channel, settings, adaptation, own, others)
    back = _ways(channel, settings, adaptation, others, own)
    noise = channel.reception.noise_uv2[channel.reception.row[others, out.heard]]
    here = (others == own[0])[:, None]
    linked, distance = _distance(paths, channel, int(own[0]))
    order = np.argsort(distance, kind="stable")
    return FeederView(
        settings.frequency_hz,
        np.bincount(channel.state_of_bin) / channel.state_of_bin.size,
        member[order],
        distance[order],
        linked[order],
        channel.phase[order],
        out.loss_db[order],
        access_impedance_ohm(channel.y_seen_s, channel.coupled, settings.driver.idle_ohm)[order],
        decibel(noise.mean(axis=1))[order],
        decibel(noise.max(axis=1))[order],
        np.where(here, -np.inf, decibel(back.snr.mean(axis=1)))[order],
        np.where(here, -np.inf, decibel(out.snr.mean(axis=1)))[order],
        np.where(linked, back.choice.mode, -1)[order],
        np.where(linked, out.choice.mode, -1)[order],
    )


def link_numbers(
    paths: CablePaths,
    line: LineParameters,
    adaptation: Adaptation,
    scenario: Scenario,
    draws: Draws,
    link: int,
) -> LinkNumbers:
    """Every number of the link in row ``link`` of the paths.

    Raises ValueError where no cable joins its ends within one area, and as `assess_links` does.
    """
    first, second = int(paths.from_node[link]), int(paths.to_node[link])
    settings = line.channel(scenario)
    feeder_node = np.concatenate([paths.meter_feeder_node, paths.site_feeder_node])[[first, second]]
    site = int(paths.feeder_area[feeder_node[0]]) if feeder_node.min() >= 0 else -1
    channel = _one_area(paths, settings, draws, site)
    rows = [np.flatnonzero(channel.plan.member == node) for node in (first, second)]
    if not rows[0].size or not rows[1].size:
        raise ValueError(f"link {link} joins nodes of two networks; no cable leads from one to the other")
    return LinkNumbers(
        settings.frequency_hz,
        channel.state_of_bin,
        channel.solved.method,
        _end(channel, settings, int(rows[0][0])),
        _end(channel, settings, int(rows[1][0])),
        _direction(_ways(channel, settings, adaptation, rows[0], rows[1]), channel, rows[1]),
        _direction(_ways(channel, settings, adaptation, rows[1], rows[0]), channel, rows[0]),
    )


def _one_area(paths: CablePaths, settings: ChannelSettings, draws: Draws, site: int) -> AreaChannel:
    """The channel of one site's area alone."""
    everything = plans(paths, settings.frequency_hz).survey
    if not 0 <= site < paths.n_sites or everything.link.count[site] == 0:
        raise ValueError(f"site {site} feeds no link; choose a transformer with meters on its cables")
    area = plan(paths, everything, np.array([site]), settings.frequency_hz)
    return area_channel(paths, area, drawn_phases(paths, everything.branch, settings, draws), settings, draws)


def _distance(paths: CablePaths, channel: AreaChannel, own: int) -> tuple[Array, Array]:
    """(n_members,) bool pairs of each member with one of them that are links, and metres of cable between them."""
    here = channel.plan
    linked, distance = np.zeros(here.member.size, bool), np.zeros(here.member.size)
    for one, other in ((here.first, here.second), (here.second, here.first)):
        direct = one == own
        linked[other[direct]], distance[other[direct]] = True, paths.distance_m[here.link[direct]]
    far = np.setdiff1d(np.flatnonzero(~linked), own)
    if far.size:
        edges = (here.line.edge_from, here.line.edge_to, paths.edge_length_m[here.edge])
        one_area = np.zeros(here.node.size, np.int64)
        _, end, metres = area_pairs(*edges, one_area, here.place[far], here.place[[own]], np.inf)
        distance[far] = metres[end == far.size]  # the one site stands after the meters
    return linked, distance


@dataclass(frozen=True)
class _Ways:
    """One sender to many receivers or the other way round, rows by the longer side.

    heard : (n,) phase heard;  loss_db : (n, n_carriers);  snr : (n, n_bins, n_carriers)
    """

    heard: Array
    loss_db: Array
    snr: Array
    choice: Choice


def _ways(channel: AreaChannel, settings: ChannelSettings, modes: Adaptation, sender: Array, receiver: Array) -> _Ways:
    """Carrier by carrier what `assess_links` judges; ``sender`` or ``receiver`` is one member."""
    place, phase = channel.plan.place, channel.phase
    found = channel.solved.pair_power(
        place[sender], channel.driven.voltage[sender], place[receiver], phase[receiver], -settings.dead_db
    )
    power = found.power.reshape(-1, *found.power.shape[2:])
    heard = found.heard.ravel().astype(np.int64)
    row = channel.reception.row[np.resize(receiver, heard.size), heard]
    over = channel.over_noise(settings.carrier_uv2)
    seen = np.einsum("nsc,bs->nbc", power, state_share(channel.state_of_bin, modes.window_bins))
    time = np.bincount(channel.state_of_bin) / channel.state_of_bin.size
    choice = choose(power, row, over, modes, erasure_ratio(settings.noise.impulses, settings.window_s))
    return _Ways(heard, -decibel(np.einsum("nsc,s->nc", power, time)), seen * over[row], choice)


def _end(channel: AreaChannel, settings: ChannelSettings, member: int) -> End:
    """One end of a link."""
    some = slice(member, member + 1)
    time = np.bincount(channel.state_of_bin) / channel.state_of_bin.size
    level = np.einsum("spc,s->pc", np.abs(channel.driven.voltage[member]) ** 2, time).max(axis=0)
    seen = access_impedance_ohm(channel.y_seen_s[some], channel.coupled[some], settings.driver.idle_ohm)
    return End(
        int(channel.phase[member]),
        decibel(level * settings.carrier_uv2),
        float(-20 * np.log10(channel.driven.throttle[member])),
        seen[0],
    )


def _direction(way: _Ways, channel: AreaChannel, receiver: Array) -> Direction:
    """One direction of a link."""
    noise = channel.reception.noise_uv2[channel.reception.row[receiver[0], way.heard[0]]]
    choice = way.choice
    return Direction(
        way.loss_db[0],
        decibel(noise),
        decibel(way.snr[0]),
        float(choice.robust_snr_db[0]),
        int(choice.mode[0]),
        float(choice.snr_db[0]),
    )


def decibel(power: Array) -> Array:
    """10 log10 of powers; -inf dB for none."""
    with np.errstate(divide="ignore"):
        return np.asarray(10 * np.log10(power), dtype=np.float64)
