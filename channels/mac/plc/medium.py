"""The line that all modems of one area share: who is on it, who hears it, and how much others disturb a frame.

Neutral to the standard. The cost of every question follows the frames on the line at that moment, not the members.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import simpy

from .cell_links import CellLinks


class OnAir:
    """One frame on the line.

    sender : member index
    start_s, head_end_s, end_s : when it begins, when preamble and header are over, when it ends [s]
    others : frames that were on the line at some time between its start and its end
    reserve_s : how long the line stays taken after its end for those who read its header [s]; the sender sets it
    read : who has read its header and who has not, as far as anybody asked
    """

    __slots__ = ("end_s", "head_end_s", "others", "read", "reserve_s", "sender", "start_s")

    def __init__(self, sender: int, start_s: float, head_end_s: float, end_s: float) -> None:
        self.sender, self.start_s, self.head_end_s, self.end_s = sender, start_s, head_end_s, end_s
        self.others: list[OnAir] = []
        self.reserve_s = 0.0
        self.read: dict[int, bool] = {}


class Medium:
    """Frames on one area's line.

    Parameters
    ----------
    links
        Tables of the area; nodes are its member indices.
    sense_db
        Robust SNR from which a node takes notice of a frame [dB].
    sense_delay_s
        Time a frame has been on the line before others take notice of it [s]; a frame begun at this very instant is
        never noticed.
    keep_s
        How long an ended frame can still be asked about [s].
    """

    def __init__(
        self, env: simpy.Environment, links: CellLinks, sense_db: float, sense_delay_s: float = 0.0, keep_s: float = 0.0
    ) -> None:
        self.env, self._sense_db, self._delay_s, self._keep_s = env, sense_db, sense_delay_s, keep_s
        self._frames: list[OnAir] = []
        self.retune(links)

    def retune(self, links: CellLinks) -> None:
        """Links are as these tables say from now on; raises ValueError where the number of members changes."""
        if self._frames and links.n != len(self._linear):
            raise ValueError(f"{links.n} members instead of {len(self._linear)}; open a new cell for another area")
        self._power = 10.0 ** (links.level_db / 10)
        self._linear: list[list[float]] = self._power.tolist()
        self._hears: list[list[bool]] = (links.level_db >= self._sense_db).tolist()

    def begin(self, sender: int, airtime_s: float, head_s: float) -> OnAir:
        """A frame goes on the line now and stays ``airtime_s``, of which ``head_s`` are preamble and header [s]."""
        now = self.env.now
        if self._frames:
            self._forget(now)
        frame = OnAir(sender, now, now + head_s, now + airtime_s)
        for other in self._frames:
            if other.end_s > now:
                other.others.append(frame)
                frame.others.append(other)
        self._frames.append(frame)
        return frame

    def _forget(self, now: float) -> None:
        """Drop the frames nobody asks about any more, and what they hold of each other."""
        oldest = now - self._keep_s
        if self._frames[0].end_s >= oldest:
            return
        for frame in self._frames:
            if frame.end_s < oldest:
                frame.others = []
        self._frames = [frame for frame in self._frames if frame.end_s >= oldest]

    def sensed(self, node: int) -> Iterator[OnAir]:
        """Frames on the line, or ended less than ``keep_s`` ago, that a node takes notice of; its own are not among."""
        now = self.env.now
        latest, oldest = now - self._delay_s, now - self._keep_s
        for frame in self._frames:
            if frame.sender == node or frame.end_s < oldest or not self._hears[frame.sender][node]:
                continue
            if frame.start_s <= latest and frame.start_s < now:
                yield frame

    def sending(self, node: int) -> bool:
        """Whether the node itself is on the line now."""
        now = self.env.now
        return any(frame.sender == node and frame.end_s > now for frame in self._frames)

    def idle_s(self, node: int) -> float:
        """Time at which the node believes the line idle [s]: now, or the end of the last frame it hears or sends."""
        latest = self.env.now
        for frame in self.sensed(node):
            latest = max(latest, frame.end_s)
        for frame in self._frames:
            if frame.sender == node:
                latest = max(latest, frame.end_s)
        return latest

    def clear(self, frame: OnAir, receiver: int, *, head: bool = False) -> float:
        """Linear factor 1 + I/N by which others lower the SNR of a frame at a receiver; inf where that was sending.

        Parameters
        ----------
        frame
            On the line, ended now, or ended less than ``keep_s`` ago.
        receiver
            Member index.
        head
            Whether only preamble and header count.

        The interference is the sum of the robust SNR of all that are on the line at once, at the moment at which this
        sum is largest. A mean over the frame would let a strong short frame pass as weak noise; that a code may
        bridge a disturbance of a few symbols is left out, on the safe side. Frames that start in one slot, the usual
        collision, overlap from the start, so that both rules say the same.
        """
        if not frame.others:
            return 1.0
        end_s = frame.head_end_s if head else frame.end_s
        hits = [other for other in frame.others if other.start_s < end_s]
        worst = 0.0
        for moment in hits:
            if moment.sender == receiver:
                return math.inf
            at = max(moment.start_s, frame.start_s)
            total = sum(self._linear[one.sender][receiver] for one in hits if one.start_s <= at < one.end_s)
            worst = max(worst, total)
        return 1.0 + worst

    def clear_of_all(self, frame: OnAir) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """`clear` at every member, (n,); for frames that everybody may receive."""
        worst = np.zeros(len(self._power))
        hits = [other for other in frame.others if other.start_s < frame.end_s]
        for at in {max(moment.start_s, frame.start_s) for moment in hits}:
            worst = np.maximum(worst, sum(self._power[one.sender] for one in hits if one.start_s <= at < one.end_s))
        worst[[one.sender for one in hits]] = np.inf
        return 1.0 + worst
