"""What the G3-PLC modems of one area share: the line, its error ratios, the times of the band and the draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from ...phy.g3_ofdm import Mode, airtime_s, payload_error_ratio
from ..plc.cell_links import CellLinks
from ..plc.medium import Medium, OnAir
from .error_table import ErrorTable
from .framing import MacSettings

Array = NDArray[Any]

PREAMBLE_SENSE_SYMBOLS = 2
"""Preamble symbols after which a frame is noticed: what a contention slot leaves time for; confidence C."""
TOGETHER_S = 1e-9
"""Frames begun within this time began at once."""
DRAWN_AT_ONCE = 4096


class G3Line:
    """Line, constants and caches of one cell; modems ask it, it decides nothing.

    Parameters
    ----------
    links : tables of the area;  table : modes;  mac : MAC constants
    rng : generator of the cell;  counters : of the cell;  map_age_s : age of all tone maps now [s]
    """

    def __init__(
        self,
        env: simpy.Environment,
        links: CellLinks,
        table: tuple[Mode, ...],
        mac: MacSettings,
        rng: np.random.Generator,
        counters: dict[str, int],
        map_age_s: float,
    ) -> None:
        self.env, self.table, self.mac, self.rng, self.counters = env, table, mac, rng, counters
        self.maps_valid_until_s = env.now + mac.tone_map_ttl_s - map_age_s
        self.first_mode: list[list[int]] = links.mode.tolist()
        plan = mac.plan
        self.gap_s, self.slot_s, self.header_s, self.eifs_s = plan.gap_s, plan.slot_s, plan.header_s, plan.eifs_s
        sense_db = mac.preamble_snr_db + mac.loss_db
        delay_s = PREAMBLE_SENSE_SYMBOLS * plan.window_s
        self.medium = Medium(env, links, sense_db, delay_s, keep_s=self.eifs_s + self.gap_s)
        self._airtime_s: dict[tuple[int, int], float] = {}
        self._head_table = ErrorTable(mac.header_error_ratio)
        self._payload_tables: dict[tuple[int, int], ErrorTable] = {}
        self._chances: list[float] = []
        self._take(links)

    def _take(self, links: CellLinks) -> None:
        self.links = links
        self.mode: list[list[int]] = links.mode.tolist()
        self._snr_db: list[list[float]] = links.snr_db.tolist()
        self._robust_db: list[list[float]] = links.robust_db.tolist()

    def retune(self, links: CellLinks) -> None:
        """Links are as these tables say from now on; tone maps that modems hold stay as they are."""
        self.medium.retune(links)
        self._take(links)

    def chance(self) -> float:
        """One uniform draw in [0, 1)."""
        if not self._chances:
            self._chances = self.rng.random(DRAWN_AT_ONCE).tolist()
        return self._chances.pop()

    def count(self, *names: str) -> None:
        """One more of each."""
        for name in names:
            self.counters[name] += 1

    def settle(self, kind: str, arrived: bool) -> None:
        """A pending frame or payload has met its fate."""
        self.counters[f"{kind}_pending"] -= 1
        self.counters[f"{kind}_delivered" if arrived else f"{kind}_lost"] += 1

    def airtime_s(self, mode: int, size: int) -> float:
        """Airtime of a frame [s]."""
        found = self._airtime_s.get((mode, size))
        if found is None:
            found = self._airtime_s[mode, size] = float(airtime_s(np.array(size), self.table[mode]))
        return found

    def lqi(self, sender: int, receiver: int) -> int:
        """Link quality a receiver measures of a sender, 0 to 255 in steps of a quarter dB from -10 dB."""
        snr = self._snr_db[sender][receiver]
        return max(0, min(255, math.floor(4 * (snr + 10)))) if math.isfinite(snr) else 0

    def readable(self, frame: OnAir, node: int) -> bool:
        """Whether a node found the preamble of a frame and read its header; drawn once per frame and node."""
        known = frame.read.get(node)
        if known is None:
            disturbed_db = 10 * math.log10(self.medium.clear(frame, node, head=True))
            error = self._head_table.at(self._robust_db[frame.sender][node] - disturbed_db)
            known = frame.read[node] = self.chance() >= error and not self._taken(frame, node)
        return known

    def _taken(self, frame: OnAir, node: int) -> bool:
        """Whether a receiver is busy with another frame: with one that began before, or the stronger of two at once."""
        for other in frame.others:
            later_s = other.start_s - frame.start_s
            mine, its = self._robust_db[frame.sender][node], self._robust_db[other.sender][node]
            first = later_s < 0 if abs(later_s) > TOGETHER_S else (its, frame.sender) > (mine, other.sender)
            if first and self.readable(other, node):
                return True
        return False

    def payload_error(self, frame: OnAir, node: int, mode: int, size: int) -> float:
        """Probability that a node which read the header does not decode the payload of a frame.

        A tone map older than the link's present one is judged at the present effective SNR.
        """
        if mode > 0 and self.mode[frame.sender][node] < 0:
            return 1.0
        snr = (self._snr_db if mode else self._robust_db)[frame.sender][node]
        return self._payload_table(mode, size).at(snr - 10 * math.log10(self.medium.clear(frame, node)))

    def _payload_table(self, mode: int, size: int) -> ErrorTable:
        found = self._payload_tables.get((mode, size))
        if found is None:
            kind, length, loss_db, table = np.array([mode]), np.array([size]), self.mac.loss_db, self.table
            found = ErrorTable(lambda snr_db: payload_error_ratio(snr_db, kind, length, loss_db, table))
            self._payload_tables[mode, size] = found
        return found

    def received_by(self, frame: OnAir, size: int) -> Array:
        """Who received a frame in the robust mode that has just ended, (n,) bool, each member drawn for itself."""
        chances = self.rng.random((2, self.links.n))
        snr = self.links.robust_db[frame.sender] - 10 * np.log10(self.medium.clear_of_all(frame))
        read = chances[0] >= self._head_table.of(snr)
        if frame.others:
            read[read] = [not self._taken(frame, node) for node in np.flatnonzero(read).tolist()]
        for node, known in frame.read.items():
            read[node] = known
        frame.read = dict(enumerate(read.tolist()))
        got = read & (chances[1] >= self._payload_table(0, size).of(snr))
        got[frame.sender] = False
        return np.asarray(got)

    def free_s(self, node: int) -> float:
        """Time from which a node takes the line as idle [s]; in the past where it is, 0 where nothing was heard.

        Who read a header knows when frame and acknowledgement end. Who only noticed that there is a frame waits the
        extended space from the end of its header, which covers the longest frame, unless it reads a later header.
        """
        now, known, unsure, last_read = self.env.now, 0.0, 0.0, 0.0
        for frame in self.medium.sensed(node):
            head_end_s = frame.head_end_s
            if head_end_s > now:
                known = max(known, head_end_s)
            elif self.readable(frame, node):
                known = max(known, frame.end_s + frame.reserve_s)
                last_read = head_end_s
            elif self._noticed(frame, node):
                unsure = head_end_s
        return max(known, unsure + self.eifs_s) if unsure > last_read else known

    def _noticed(self, frame: OnAir, node: int) -> bool:
        """Whether a node that did not read a header takes notice of the frame.

        Not where it was sending itself, or busy with another frame, as long as this one lasted.
        """
        for other in frame.others:
            covers = other.start_s < frame.head_end_s and other.end_s >= frame.end_s
            if covers and (other.sender == node or self.readable(other, node)):
                return False
        return True
