"""A PRIME terminal that hears a node ask for a switch, and offers to become one."""

from __future__ import annotations

import math
from collections.abc import Callable

from .csma import later
from .messages import NO_SWITCH, Promotion
from .roles import Ground, Terminal

MOST_DOUBLINGS = 5
"""The rest of a terminal that offered itself for a needy node in vain doubles so often at most (confidence C)."""
MOST_QUALITY = 7
"""Three bits tell how well the needy node was heard: the best mode in which it can be (this use confidence C)."""


class Offers:
    """What a terminal remembers of the nodes it offered itself for."""

    def __init__(self, cell: Ground, node: Terminal, offer: Callable[[bytes], None]) -> None:
        """``offer`` sends the payload of an offer to the base node."""
        self._cell, self._node, self._offer = cell, node, offer
        self._rest: dict[bytes, tuple[float, int]] = {}
        self._last_s = -math.inf

    def forget(self) -> None:
        """Know nothing of earlier offers."""
        self._rest.clear()
        self._last_s = -math.inf

    def in_vain(self, needy: bytes) -> None:
        """Offers for a node have led nowhere for long, the last of them some time ago."""
        rest_s = self._cell.mac.forming.offer_rest_s * 2**MOST_DOUBLINGS
        self._rest[needy] = (self._cell.env.now + rest_s * self._cell.line.draw(), MOST_DOUBLINGS)

    def heard(self, needy: bytes, mode: int) -> None:
        """A node that could be heard in a mode asked for a switch: offer to become one, at most one offer under way."""
        cell, node, now = self._cell, self._node, self._cell.env.now
        until_s, turns = self._rest.get(needy, (0.0, -1))
        late = node.level > cell.mac.most_level or node.relay.own >= 0
        if late or now < until_s or now - self._last_s < cell.mac.control_timeout_s:
            return
        turns = min(turns + 1, MOST_DOUBLINGS)
        self._last_s, self._rest[needy] = now, (now + cell.mac.forming.offer_rest_s * 2**turns, turns)
        epoch, payload = node.epoch, Promotion(False, min(mode, MOST_QUALITY), NO_SWITCH, needy).encode()

        def ask() -> None:
            if epoch == node.epoch:
                self._offer(payload)

        later(cell.env, cell.mac.forming.request_spread_s * cell.line.draw(), ask)
