"""The fate of LoRaWAN datagrams: frames on the air, repeats within the duty cycle, answers within the budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..phy.fading import rice_success
from ..phy.lora import half_loss_margin_db
from . import schc
from .aloha import blocking_ratio, collision_exposure, survival_ratio
from .lorawan_frames import Legs

Array = NDArray[Any]

RX_DELAY_S = 2.0
"""Opening of the second receive window after an uplink; LoRaWAN RP002-1.0.4 default."""
MAX_ITERATIONS = 30
PLAIN_ITERATIONS = 6
SETTLED = 1e-3
"""The fixed point (losses cause repeats, repeats cause losses) ends when the frames sent change by less than a
thousandth, or after so many rounds; after the first few each round takes the mean of old and new, because a crowd
that hardly gets an answer repeats less than one that gets some."""


@dataclass(frozen=True)
class Air:
    """Who hears whom; columns (n_pairs,) meter by meter, and (n_meters,) and (n_sites,) columns.

    pair_start : (n_meters + 1,) first pair of each meter;  pair_site : receiving site
    pair_power_db : power relative to anything common to the site;  pair_margin_db : over the floor of the data rate
    data_rate : (n_meters,);  server : (n_meters,) site row, -1 for none
    down_success : (n_meters,) probability that one downlink frame passes;  ack_s : (n_meters,) its time on air [s]
    """

    pair_start: Array
    pair_site: Array
    pair_power_db: Array
    pair_margin_db: Array
    data_rate: Array
    server: Array
    down_success: Array
    ack_s: Array
    n_sites: int


@dataclass(frozen=True)
class AirRules:
    """Parameters of the receivers: see the technology for units and sources."""

    sir_db: Array
    n_channels: int
    n_demodulators: int
    gateway_duty_cycle: float
    rice_k_db: float


@dataclass(frozen=True)
class Fate:
    """What becomes of each leg; columns (n_legs,).

    p : completes in time;  p50_s, p95_s : latency when it does;  attempts : frames sent
    quiet_s : from the start of the leg until its sender may send again, duty cycle kept [s]
    lost_link, lost_traffic, lost_duty : probability lost to the link, to other traffic, and to the duty cycle of
    the meter (too late) or of the gateway (no answer).
    """

    p: Array
    p50_s: Array
    p95_s: Array
    attempts: Array
    quiet_s: Array
    lost_link: Array
    lost_traffic: Array
    lost_duty: Array


def deliver(legs: Legs, air: Air, rules: AirRules, *, interference: bool) -> Fate:
    """Fate of all legs.

    Parameters
    ----------
    legs, air, rules : see there.
    interference : False leaves every sender alone on the air and gives it the gateway's whole downlink.

    Returns
    -------
    Fate.

    References
    ----------
    Pure ALOHA with capture per gateway (`aloha`), any gateway may receive (LoRaWAN L2 1.0.4), SCHC ACK-on-Error
    (RFC 9011), Erlang loss for the demodulators; fixed point over the repeats.
    """
    pairs = _leg_pairs(legs, air)
    clear = _clear_success(legs, air, pairs, rules)
    down = air.down_success[legs.meter]
    alone = _complete(legs, _any_gateway(clear, pairs), down)
    if not interference:
        return _judged(legs, alone, alone, alone)
    fate = heard = alone
    attempts, requests = alone.attempts, alone.requests
    for number in range(MAX_ITERATIONS):
        heard_ratio, granted = _heard_ratio(legs, air, rules, pairs, attempts, requests)
        frame = _any_gateway(clear * heard_ratio, pairs)
        heard, fate = _complete(legs, frame, down), _complete(legs, frame, down * granted)
        weight = 1.0 if number < PLAIN_ITERATIONS else 0.5
        step = weight * (fate.attempts - attempts)
        attempts, requests = attempts + step, requests + weight * (fate.requests - requests)
        if np.abs(step).sum() <= SETTLED * attempts.sum():
            break
    return _judged(legs, fate, heard, alone)


@dataclass(frozen=True)
class _Pairs:
    leg: Array
    pair: Array
    start: Array


@dataclass(frozen=True)
class _Completion:
    p: Array
    p_any_time: Array
    p50_s: Array
    p95_s: Array
    attempts: Array
    requests: Array


def _leg_pairs(legs: Legs, air: Air) -> _Pairs:
    count = (air.pair_start[1:] - air.pair_start[:-1])[legs.meter]
    leg = np.repeat(np.arange(legs.meter.size), count)
    start = np.concatenate([[0], np.cumsum(count)])
    pair = np.arange(leg.size) - start[leg] + air.pair_start[legs.meter[leg]]
    return _Pairs(leg, pair, start[:-1])


def _clear_success(legs: Legs, air: Air, pairs: _Pairs, rules: AirRules) -> Array:
    threshold_db = half_loss_margin_db(air.data_rate[legs.meter], legs.phy_bytes)
    margin_db = air.pair_margin_db[pairs.pair] - threshold_db[pairs.leg]
    return rice_success(margin_db, rice_k_db=rules.rice_k_db)


def _any_gateway(success: Array, pairs: _Pairs) -> Array:
    if success.size == 0:
        return np.zeros(pairs.start.size)
    missed = np.log1p(-np.minimum(success, 1.0 - 1e-15))
    return np.asarray(-np.expm1(np.add.reduceat(missed, pairs.start)))


def _heard_ratio(
    legs: Legs, air: Air, rules: AirRules, pairs: _Pairs, attempts: Array, requests: Array
) -> tuple[Array, Array]:
    """Per (leg, gateway) share of frames not lost to others, and per leg the share of downlinks granted."""
    n_meters = air.data_rate.size
    spread_s = _busy_spread_s(legs, attempts)
    rate = np.bincount(legs.meter, np.where(legs.up, attempts / spread_s, 0.0), n_meters)
    airtime = np.bincount(legs.meter, np.where(legs.up, attempts * legs.frame_s / spread_s, 0.0), n_meters)
    sender = np.repeat(np.arange(n_meters), air.pair_start[1:] - air.pair_start[:-1])
    exposure = collision_exposure(
        air.pair_site, air.data_rate[sender], air.pair_power_db, rate[sender], airtime[sender], rules.sir_db
    )
    heard_load = np.bincount(air.pair_site, np.where(air.pair_margin_db >= 0.0, airtime[sender], 0.0), air.n_sites)
    own_load = airtime[sender] * (air.pair_margin_db >= 0.0)
    idle = 1.0 - blocking_ratio(np.maximum(heard_load[air.pair_site] - own_load, 0.0), rules.n_demodulators)
    down_rate, down_airtime, granted = _downlink(legs, air, rules, attempts, requests)
    sending = np.exp(-down_airtime[air.pair_site])
    frame_s = legs.frame_s[pairs.leg]
    silent = sending[pairs.pair] * np.exp(-frame_s * down_rate[air.pair_site][pairs.pair])
    alive = survival_ratio(frame_s, exposure[0][pairs.pair], exposure[1][pairs.pair], rules.n_channels)
    return np.asarray(alive * idle[pairs.pair] * silent), granted


def _busy_spread_s(legs: Legs, attempts: Array) -> Array:
    """(n_legs,) time over which the frames of each leg count as spread, seen by another frame of the crowd.

    Starts are uniform over S, and each meter stays active for D, duty-cycle pauses included: the crowd builds up and
    fades, and a frame in it meets on average 1 - D/3S of the rate of a crowd that starts and ends at once (S and D
    change places where D is longer): the mean of a trapezoid over itself.
    """
    active_s = np.bincount(legs.slot, attempts * np.where(legs.up, legs.interval_s, legs.frame_s))[legs.slot]
    start_s = legs.start_spread_s
    short, long = np.minimum(active_s, start_s), np.maximum(active_s, start_s)
    return np.asarray(legs.spread_s * (long / start_s) / (1.0 - short / (3.0 * long)))


def _downlink(legs: Legs, air: Air, rules: AirRules, attempts: Array, requests: Array) -> tuple[Array, Array, Array]:
    """Downlink frames per second and airtime of each site, as granted, and the share granted to each leg."""
    acks = np.where(legs.up, requests, attempts)
    seconds = np.where(legs.up, air.ack_s[legs.meter], legs.frame_s)
    site = air.server[legs.meter]
    spread_s = _busy_spread_s(legs, attempts)
    airtime = np.bincount(site, acks * seconds / spread_s, air.n_sites)
    rate = np.bincount(site, acks / spread_s, air.n_sites)
    granted = np.minimum(1.0, rules.gateway_duty_cycle / np.maximum(airtime, 1e-300))
    return rate * granted, airtime * granted, granted[site]


def _complete(legs: Legs, frame: Array, down: Array) -> _Completion:
    """Rounds of every leg: up by ACK-on-Error or blind copies, down by acknowledged frames."""
    n_rounds = schc.MAX_ACK_REQUESTS
    ack = np.where(legs.fragmented, frame * down, 1.0)
    success = np.where(legs.up, frame, down)
    resend = np.where(legs.up, ack, 1.0)
    by_round = schc.completion_by_round(success, resend, legs.n_frames, n_rounds)
    repeats = _repeats_by_round(legs, success, resend, by_round)
    done_s = _done_by_round_s(legs, repeats)
    limit = np.where(legs.fragmented | ~legs.up, n_rounds, np.minimum(legs.copies, n_rounds))
    limit = np.where(~legs.up & ~legs.fragmented, np.minimum(legs.copies, n_rounds), limit)
    in_time = (done_s <= np.minimum(legs.available_s, legs.answer_s) * (1.0 + 1e-12)).sum(axis=0)
    held = np.minimum(limit, in_time)
    column = np.arange(legs.meter.size)
    p_once = np.where(held > 0, by_round[np.maximum(held, 1) - 1, column], 0.0)
    p_any_time = by_round[limit - 1, column]
    last_s = done_s[np.maximum(held, 1) - 1, column]
    starts = np.where(legs.fragmented, np.clip(legs.available_s // last_s, 1, legs.copies), 1)
    p = 1.0 - (1.0 - p_once) ** starts
    latency = [_quantile_s(by_round, done_s, share * p_once) for share in (0.5, 0.95)]
    dead = p <= 0.0
    last = np.maximum(held, 1) - 1
    sent = np.cumsum(repeats, axis=0)[last, column]
    asked = 1.0 + np.concatenate([np.zeros((1, success.size)), np.cumsum(1.0 - by_round[:-1], axis=0)])[last, column]
    blind = legs.up & ~legs.fragmented
    attempts = np.where(blind, held, np.where(held > 0, sent, 0.0))
    requests = np.where(legs.fragmented & (held > 0), success * asked, 0.0)
    late = [np.where(dead, np.inf, one) for one in latency]
    return _Completion(p, p_any_time, late[0], late[1], attempts, requests)


def _repeats_by_round(legs: Legs, success: Array, resend: Array, by_round: Array) -> Array:
    """(n_rounds, n_legs) frames expected in each round of ACK-on-Error.

    The first round sends all. A later one is opened by the last frame, as the request for an acknowledgement, while
    the datagram is incomplete; the others go again only where the sender learnt in the round before that they are
    missing: with r = ``resend`` and s = ``success``, each does so with r (1 - s) (1 - r s)^(k - 1) in round k.
    """
    rounds = [legs.n_frames.astype(np.float64)]
    for k in range(1, by_round.shape[0]):
        again = (legs.n_frames - 1) * resend * (1.0 - success) * (1.0 - resend * success) ** (k - 1)
        rounds.append(again + 1.0 - by_round[k - 1])
    return np.stack(rounds)


def _done_by_round_s(legs: Legs, repeats: Array) -> Array:
    """(n_rounds, n_legs) time from the first frame to the end of each round, expected repeats in each."""
    single = ~legs.fragmented
    done = [(legs.n_frames - 1) * legs.interval_s + legs.frame_s]
    for again in repeats[1:]:
        frames = np.where(single, 1.0, np.maximum(again, 1.0))
        done.append(done[-1] + frames * legs.interval_s + np.where(single, 0.0, RX_DELAY_S))
    return np.stack(done)


def _quantile_s(by_round: Array, done_s: Array, target: Array) -> Array:
    reached = by_round >= target * (1.0 - 1e-12)
    first = np.where(reached.any(axis=0), reached.argmax(axis=0), by_round.shape[0] - 1)
    return np.asarray(done_s[first, np.arange(target.size)])


def _judged(legs: Legs, fate: _Completion, heard: _Completion, alone: _Completion) -> Fate:
    """What was lost to what: ``heard`` has all downlinks granted, ``alone`` has no other traffic either.

    Time that runs out is the duty cycle's fault, unless the asking side gave up first.
    """
    late, gave_up = np.maximum(alone.p_any_time - alone.p, 0.0), legs.answer_s < legs.available_s
    return Fate(
        p=fate.p,
        p50_s=fate.p50_s,
        p95_s=fate.p95_s,
        attempts=fate.attempts,
        lost_link=1.0 - alone.p_any_time,
        lost_traffic=np.maximum(alone.p - heard.p, 0.0) + np.where(gave_up, late, 0.0),
        lost_duty=np.where(gave_up, 0.0, late) + np.maximum(heard.p - fate.p, 0.0),
        quiet_s=fate.attempts * legs.interval_s,
    )
