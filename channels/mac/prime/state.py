"""What a PRIME service node is at a moment."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """Without power or booting, without a switch, asking for an address, registered, and relaying for others."""

    OFF = 0
    SEARCHING = 1
    REGISTERING = 2
    TERMINAL = 3
    SWITCH = 4
