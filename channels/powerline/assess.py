"""From cables to link quality: every pair of every area, both directions, and the reason where a link fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..draws import Draws
from ..paths import CablePaths
from ..phy.plc_adaptation import Adaptation
from ..phy.plc_choice import Choice, choose, erasure_cost_db, useful_margin_db
from ..scenario import Scenario
from ..technology import LinkQuality, Reason
from .channel import AreaChannel, area_channel, drawn_phases
from .channel_settings import ChannelSettings
from .impulses import erasure_ratio
from .line_parameters import LineParameters
from .network import PairPower
from .phases import ALL_PHASES
from .plans import Plan, plans

Array = NDArray[Any]

PIECE_BYTES = 8e6
"""Powers that are looked up at a time: they stay in the processor's cache until a mode is chosen."""

UP, DOWN = 0, 1
"""First axis of the columns: from the first end of a link to its second, and back."""


@dataclass(frozen=True)
class _Columns:
    """Results of all links, filled block by block; (2, n_links) are up and down."""

    snr_db: Array
    margin_db: Array
    mode: Array
    loss_db: Array
    limit: Array


def assess_links(
    paths: CablePaths,
    line: LineParameters,
    adaptation: Adaptation,
    scenario: Scenario,
    draws: Draws,
    *,
    threads: int = 1,
) -> LinkQuality:
    """What each link can carry in one replication.

    Parameters
    ----------
    paths : CablePaths;  line : a technology's parameters;  adaptation : its modes as the choice needs them,
        made for ``line.state_of_bin``
    threads
        Blocks of areas solved at a time; the answer does not depend on it.

    Returns
    -------
    LinkQuality. ``snr_*_db`` is the effective SNR on the carriers of the chosen mode (of the robust mode where there is
    none), the margin always that of the robust mode on all carriers; ``loss_db`` the mean attenuation of both
    directions, or of the one that is not dead, from source voltage to receiver voltage. Raises ValueError as the parts
    do, each naming its culprit.
    """
    settings, n = line.channel(scenario), paths.n_links
    answer = _empty(n)
    if n:
        blocks = plans(paths, settings.frequency_hz)
        phases = drawn_phases(paths, blocks.survey.branch, settings, draws)

        def one(block: int) -> None:
            plan = blocks[block]
            _fill(answer, area_channel(paths, plan, phases, settings, draws, _named(plan)), settings, adaptation)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(one, range(len(blocks))))
    rate = np.append(adaptation.rate_bps, 0.0)
    return LinkQuality(
        answer.snr_db[UP],
        answer.snr_db[DOWN],
        answer.margin_db[UP],
        answer.margin_db[DOWN],
        answer.mode[UP],
        answer.mode[DOWN],
        rate[answer.mode[UP]],
        rate[answer.mode[DOWN]],
        answer.loss_db,
        answer.limit,
        np.ones(n, bool),
        np.full(n, useful_margin_db(adaptation, erasure_ratio(settings.noise.impulses, settings.window_s))),
    )


def _empty(n: int) -> _Columns:
    """Columns of links that nobody hears."""
    return _Columns(
        np.full((2, n), -np.inf),
        np.full((2, n), -np.inf),
        np.full((2, n), -1, np.int8),
        np.full(n, np.inf),
        np.full(n, Reason.ATTENUATION, np.int8),
    )


@dataclass(frozen=True)
class _Directed:
    """All ordered pairs of one area, (n_members, n_members), first axis the sender.

    snr_db, margin_db, mode : see `LinkQuality`;  loss_db : from source voltage to receiver voltage
    clean_db : margin without emitters, neighbours' transformers and bursts, where the link fails, else the margin
    cross_db : what the receiver would gain by listening on the sender's phase at the same place
    """

    snr_db: Array
    margin_db: Array
    mode: Array
    loss_db: Array
    clean_db: Array
    cross_db: Array


@dataclass(frozen=True)
class _Judge:
    """What turns received powers into modes and margins.

    over, quiet : (n_rows, n_bins, n_carriers) float32 carrier level over noise, with and without what others send
    rise_db : (n_rows,) most that the others' sending costs: its rise anywhere in band and half cycle, and bursts
    hope_db : a link that fails by more without all that fails on the quietest line too
    erased : share of symbols lost to bursts
    """

    over: Array
    quiet: Array
    rise_db: Array
    hope_db: float
    adaptation: Adaptation
    erased: float

    @classmethod
    def of(cls, channel: AreaChannel, settings: ChannelSettings, adaptation: Adaptation) -> _Judge:
        """The judge of a block."""
        noise, level = channel.reception, settings.carrier_uv2
        quiet = np.asarray(level / noise.quiet_uv2, np.float32)
        over = quiet if noise.noise_uv2 is noise.quiet_uv2 else np.asarray(level / noise.noise_uv2, np.float32)
        erased = erasure_ratio(settings.noise.impulses, settings.window_s)
        rise_db = 10 * np.log10((quiet / over).max(axis=(1, 2))) + erasure_cost_db(adaptation, erased)
        return cls(over, quiet, rise_db, settings.quiet_db + settings.added_db, adaptation, erased)

    def judged(self, power: Array, heard: Array) -> tuple[Choice, Array, Array]:
        """Choice, margin of the robust mode, and the same if nobody else sent and no burst fell; (n,) each.

        The last is the margin itself where the link holds, and an upper bound where that cannot change its reason: an
        effective SNR never rises by more than the largest rise of any carrier.
        """
        floor_db = self.adaptation.threshold_db[0]
        choice = choose(power, heard, self.over, self.adaptation, self.erased)
        margin = choice.robust_snr_db - floor_db
        rise_db = self.rise_db[heard]
        # bursts may cost everything: then nothing bounds what the link would have without them
        bound = np.where(np.isinf(rise_db), np.inf, margin) + rise_db
        clean = np.where(margin < 0, bound, margin)
        unsure = np.flatnonzero((margin < 0) & (bound + self.hope_db >= 0) & (rise_db > 0))
        if unsure.size:
            again = choose(power[unsure], heard[unsure], self.quiet, self.adaptation.robust_alone)
            clean[unsure] = again.robust_snr_db - floor_db
        return choice, margin, clean


def _fill(answer: _Columns, channel: AreaChannel, settings: ChannelSettings, adaptation: Adaptation) -> None:
    """Write all links of a block."""
    plan, judge = channel.plan, _Judge.of(channel, settings, adaptation)
    for area in range(plan.area.size):
        some = slice(plan.link_start[area], plan.link_start[area + 1])
        link, (talks, ends) = plan.link[some], _talking(plan.first[some], plan.second[some])
        pair = _directed(channel, plan.member_start[area] + talks, ends, judge, settings.dead_db)
        for direction, way in ((UP, ends), (DOWN, ends[::-1])):
            answer.snr_db[direction, link] = pair.snr_db[way]
            answer.margin_db[direction, link] = pair.margin_db[way]
            answer.mode[direction, link] = pair.mode[way]
        up, down = pair.loss_db[ends], pair.loss_db[ends[::-1]]
        answer.loss_db[link] = np.where(np.isfinite(up) & np.isfinite(down), (up + down) / 2, np.minimum(up, down))
        answer.limit[link] = _limit(pair, ends, settings)


def _named(plan: Plan) -> Array:
    """Rows of the members that any link names."""
    base = np.repeat(plan.member_start[:-1], np.diff(plan.link_start))
    return np.unique(np.concatenate([plan.first + base, plan.second + base]))


def _talking(first: Array, second: Array) -> tuple[Array, tuple[Array, Array]]:
    """Members of an area that any link names, and the ends of the links among them: others need not be looked at."""
    talks, back = np.unique(np.concatenate([first, second]), return_inverse=True)
    return talks, (back[: first.size], back[first.size :])


def _directed(
    channel: AreaChannel, member: Array, ends: tuple[Array, Array], judge: _Judge, dead_db: float
) -> _Directed:
    """Look up and judge all listed pairs of one area, both ways, some senders at a time."""
    place, phase = channel.plan.place[member], channel.phase[member]
    voltage, row = channel.driven.voltage[member], channel.reception.row[member]
    n = place.size
    wanted = np.zeros((n, n), bool)
    wanted[ends] = wanted[ends[::-1]] = True
    pair = _silent(n)
    piece = max(1, int(PIECE_BYTES // (4 * n * voltage.shape[1] * voltage.shape[3])))
    for low in range(0, n, piece):
        sender = slice(low, low + piece)
        found = channel.solved.pair_power(place[sender], voltage[sender], place, phase, -dead_db)
        level, gain = _levels(found, phase[sender])
        alive = wanted[sender] & np.isfinite(level)
        choice, margin, clean = judge.judged(found.power[alive], row[np.arange(n), found.heard][alive])
        for column, value in (
            (pair.snr_db, choice.snr_db),
            (pair.margin_db, margin),
            (pair.mode, choice.mode),
            (pair.loss_db, -level[alive]),
            (pair.clean_db, clean),
            (pair.cross_db, gain[alive]),
        ):
            column[sender][alive] = value
    return pair


def _levels(found: PairPower, sender_phase: Array) -> tuple[Array, Array]:
    """Level on the phase that is heard, and what the sender's own phase has more at the same place, (n, m) [dB]."""
    level = np.take_along_axis(found.level_db, found.heard[..., None].astype(np.int64), axis=2)[..., 0]
    own = np.maximum(sender_phase, 0).astype(np.int64)
    same = np.take_along_axis(found.level_db, own[:, None, None], axis=2)[..., 0]
    crosses = (sender_phase != ALL_PHASES)[:, None] & np.isfinite(level) & np.isfinite(same)
    return level, np.subtract(same, level, out=np.zeros_like(level), where=crosses)


def _silent(n: int) -> _Directed:
    """An area in which nobody hears anybody."""
    none = np.full((3, n, n), -np.inf)
    return _Directed(none[0], none[1], np.full((n, n), -1, np.int8), np.full((n, n), np.inf), none[2], np.zeros((n, n)))


def _limit(pair: _Directed, ends: tuple[Array, Array], settings: ChannelSettings) -> Array:
    """What would have to change for the weaker direction: noise that was added, the phase, the noise, or the line.

    Added noise comes first, where the link would work without emitters, neighbours, bursts and offsets; then the phase,
    where it would work
    if the receiver sat on the sender's phase; noise counts as the limit where the link would work on a line quieter
    by two standard deviations of the spreads.
    """
    back = ends[::-1]
    swap = pair.margin_db[back] < pair.margin_db[ends]
    short = np.where(swap, pair.margin_db[back], pair.margin_db[ends])
    cross = np.where(swap, pair.cross_db[back], pair.cross_db[ends])
    clean = np.minimum(pair.clean_db[ends], pair.clean_db[back]) + settings.added_db
    by_added = (short < 0) & (clean >= 0)
    by_phase = (cross > 1.0) & (short + cross >= 0)
    by_noise = clean + settings.quiet_db >= 0
    return np.select(
        [by_added, by_phase, by_noise], [Reason.NOISE, Reason.CROSS_PHASE, Reason.NOISE], Reason.ATTENUATION
    )
