"""The shared line of one PRIME cell as its members see it: types of frames, modes, what is lost on each link."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from ...draws import Draws
from ...paths import CablePaths
from ...phy import plc_curves
from ...phy.prime_adaptation import adaptive_modes
from ...phy.prime_ofdm import FRAME_TYPES, header_error_ratio, payload_error_ratio, psdu_airtime_s
from ...technology import LinkQuality
from ..plc.cell_links import CellLinks
from ..plc.frames import damaged
from ..plc.medium import Medium, OnAir
from .framing import robust_mode
from .hops import own_spare_db
from .settings import BEACON_BYTES, PrimeMac

Array = NDArray[Any]

SENSE_DELAY_S = FRAME_TYPES["A"].preamble_s
"""A frame is sensed when its first chirp has passed, from the SNR on at which half of the preambles are found."""


def threshold_db(mac: PrimeMac, kind: str) -> float:
    """Effective SNR from which margins count: what the most robust mode of a frame type needs [dB]."""
    waveform = adaptive_modes(mac.channels, kind)[0].waveform
    return float(plc_curves.threshold_db(waveform.name, waveform.reference_bytes)) + mac.loss_db


DEAF, NO_LINK_DB = 1e30, -300.0
"""Stand for the interference at a receiver that was sending itself, and for the SNR where there is no link."""


class PrimeLine:
    """Link tables of one area, the medium over them, and the random numbers of the cell.

    Parameters
    ----------
    legacy
        (n_nodes,) bool, of version 1.3.6; None where the network is not mixed.
    """

    def __init__(
        self,
        env: simpy.Environment,
        paths: CablePaths,
        quality: LinkQuality,
        site: int,
        draws: Draws,
        mac: PrimeMac,
        legacy: Array | None,
    ) -> None:
        self.mac, self._paths, self._site, self._legacy = mac, paths, site, legacy
        self.threshold_db = [threshold_db(mac, kind) for kind in (mac.data_frame, "A")]
        self._kinds = (mac.data_frame, "A") if mac.mixed else (mac.data_frame, mac.data_frame)
        self._robust_of = [robust_mode(mac, kind) for kind in self._kinds]
        self._airtimes: dict[tuple[int, str, int], float] = {}
        self._ratios: dict[tuple[int, int, int, int, float], tuple[float, float]] = {}
        self.rng = draws.generator(f"prime cell {int(paths.node_key[paths.n_meters + site])}")
        self._numbers = self._blocks()
        self._use(quality)
        self.medium = Medium(env, self.links, mac.sense_db, SENSE_DELAY_S)

    def retune(self, quality: LinkQuality) -> None:
        """Links are as this table says from now on."""
        self._use(quality)
        self._ratios.clear()
        self.medium.retune(self.links)

    def _use(self, quality: LinkQuality) -> None:
        """Tables of the area; the margin of a pair with an old modem counts from the threshold of type A."""
        links = CellLinks.of(self._paths, quality, self._site, self.threshold_db[0])
        old = np.zeros(links.n, bool) if self._legacy is None else np.asarray(self._legacy, bool)[links.node]
        pairs = old[:, None] | old[None, :]
        lift_db = self.threshold_db[1] - self.threshold_db[0]
        self.links = replace(links, robust_db=links.robust_db + np.where(pairs, lift_db, 0.0))
        self._old: list[list[bool]] = pairs.tolist()
        self._modes: list[list[int]] = self.links.mode.tolist()
        self._snr: list[list[float]] = self.links.snr_db.tolist()
        self._robust: list[list[float]] = self.links.robust_db.tolist()
        self._level: list[list[float]] = self.links.level_db.tolist()
        spare = np.broadcast_to(self.links.spare_db, pairs.shape)
        self._spare: list[list[float]] = spare.tolist()
        self._own_spare: list[list[float]] = own_spare_db(self.links.snr_db, self.links.robust_db, spare).tolist()

    def _blocks(self) -> Iterator[float]:
        while True:
            yield from self.rng.random(4096).tolist()

    def draw(self) -> float:
        """A uniform number in [0, 1) of this cell's own."""
        return next(self._numbers)

    def robust_mode(self, index: int, peer: int) -> int:
        """Most robust mode between two members; to all (peer -1) that of the network's own version."""
        return self._robust_of[self._kind(index, peer)]

    def usable_mode(self, sender: int, receiver: int) -> int:
        """Mode in which the receiver hears the sender best, at least the most robust one."""
        return max(self._modes[sender][receiver], self.robust_mode(sender, receiver))

    def hears(self, sender: int, receiver: int) -> bool:
        """Whether the receiver finds the sender's most robust mode usable."""
        return self._modes[sender][receiver] >= 0

    def quality_db(self, sender: int, receiver: int) -> float:
        """Signal over noise of the most robust mode, lost symbols left aside [dB]."""
        return self._level[sender][receiver]

    def frame_type(self, index: int, peer: int) -> str:
        """A where one of the two is of version 1.3.6, else what the network speaks."""
        return self._kinds[self._kind(index, peer)]

    def _kind(self, index: int, peer: int) -> int:
        return int(self._old[index][peer]) if peer >= 0 else int(self._old[index][index])

    def airtime_s(self, mode: int, kind: str, n_bytes: int) -> float:
        """Airtime of a frame [s]."""
        key = (mode, kind, n_bytes)
        if key not in self._airtimes:
            self._airtimes[key] = float(psdu_airtime_s(np.array(n_bytes), self.mac.table[mode], kind))
        return self._airtimes[key]

    def _loss(self, sender: int, receiver: int, mode: int, kind: str, n_bytes: int, lift: float) -> tuple[float, float]:
        """Probabilities that the header is missed, and that the payload behind a good one is damaged.

        lift : factor by which others lower the SNR, 1 for none; infinite where the receiver was sending itself. It is
            rounded to a tenth of a decibel, so that what was computed once serves again.
        """
        less_db = 0.0 if lift == 1.0 else round(10 * math.log10(min(lift, DEAF)), 1)
        key = (sender, receiver, mode, n_bytes, less_db)
        if key not in self._ratios:
            robust_db = self._robust[sender][receiver]
            robust_db = self._less(robust_db, less_db, self._spare[sender][receiver])
            snr_db = robust_db
            if self._modes[sender][receiver] == mode:
                snr_db = self._less(self._snr[sender][receiver], less_db, self._own_spare[sender][receiver])
            mac, size = self.mac, np.array([n_bytes])
            head = float(header_error_ratio(np.array(robust_db), kind, mac.loss_db, mac.preamble_snr_db))
            body = payload_error_ratio(np.array([snr_db]), size, mac.table[mode], kind, mac.loss_db)
            self._ratios[key] = head, float(body[0])
        return self._ratios[key]

    @staticmethod
    def _less(snr_db: float, less_db: float, spare_db: float) -> float:
        return max(snr_db - max(less_db - spare_db, 0.0), NO_LINK_DB)

    def miss_ratio(self, sender: int, receiver: int) -> float:
        """Probability that a beacon is not heard."""
        mode, kind = self.robust_mode(sender, receiver), self.frame_type(sender, receiver)
        head, body = self._loss(sender, receiver, mode, kind, BEACON_BYTES, 1.0)
        return 1 - (1 - head) * (1 - body)

    def understands(self, sender: int, receiver: int) -> bool:
        """Whether a frame for all reaches a receiver: well enough, and of a type that it knows."""
        return self._modes[sender][receiver] >= 0 and (self._old[sender][sender] or not self._old[receiver][receiver])

    def arrives(self, frame: OnAir, receiver: int, data: bytes, mode: int, kind: str) -> tuple[bytes | None, bool]:
        """What a receiver makes of a frame that just ended, and whether others were sending meanwhile.

        None where preamble or header were missed; bytes that fail their check where the payload was damaged.
        """
        lift = self.medium.clear(frame, receiver)
        head, body = self._loss(frame.sender, receiver, mode, kind, len(data), lift)
        if self.draw() < head:
            return None, lift > 1.0
        return damaged(data, self.rng) if self.draw() < body else data, lift > 1.0
