"""What changes while a meter runs: its clock, its relay, its logs, its counters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from ..dlms.axdr import Value
from ..dlms.obis import Obis
from .rights import Role


class EventCode(IntEnum):
    """Codes of the event log; a choice of ours after common companion specifications (confidence C)."""

    POWER_DOWN = 1
    POWER_UP = 2
    CLOCK_SET = 4
    WATCHDOG = 10
    FIRMWARE_ACTIVATED = 18
    COVER_OPENED = 40
    AUTHENTICATION_FAILED = 46
    REMOTE_DISCONNECTED = 62
    REMOTE_CONNECTED = 63


class ControlState(IntEnum):
    """State of the disconnector, class 70 attribute 3."""

    DISCONNECTED = 0
    CONNECTED = 1
    READY_FOR_RECONNECTION = 2


class AssociationStatus(IntEnum):
    """Status of an association, class 15 attribute 8."""

    NON_ASSOCIATED = 0
    PENDING = 1
    ASSOCIATED = 2


EVENT_ENTRIES = 200
"""Rows that the event log holds; confidence C."""


@dataclass(frozen=True)
class Negotiated:
    """What an association agreed on: conformance (3 bytes, bit 0 first), PDU sizes [B], mechanism 0 to 7, context."""

    conformance: bytes = bytes(3)
    max_receive_pdu_bytes: int = 0
    max_send_pdu_bytes: int = 0
    mechanism: int = 0
    context: int = 1


@dataclass
class Relay:
    """The disconnector: contact closed, state, and the control mode 0 to 6 that says what a client may do."""

    connected: bool = True
    control_state: ControlState = ControlState.CONNECTED
    control_mode: int = 4


class ImageStatus(IntEnum):
    """Status of the image transfer, class 18 attribute 6."""

    NOT_INITIATED = 0
    INITIATED = 1
    VERIFICATION_INITIATED = 2
    VERIFICATION_SUCCESSFUL = 3
    VERIFICATION_FAILED = 4
    ACTIVATION_INITIATED = 5
    ACTIVATION_SUCCESSFUL = 6
    ACTIVATION_FAILED = 7


@dataclass
class Image:
    """A firmware image on its way: name, size [B], and for each block that arrived its 8-byte digest."""

    enabled: bool = True
    status: ImageStatus = ImageStatus.NOT_INITIATED
    name: bytes = b""
    size_bytes: int = 0
    blocks: dict[int, bytes] = field(default_factory=dict)


@dataclass
class DeviceState:
    """Everything about a meter that its history does not say; times are seconds since 1970 UTC.

    Attributes
    ----------
    clock_offset_s
        What the meter's clock shows above true time.
    clock_sets
        (true time, offset from then on) of every clock set, oldest first; rows captured before keep their time stamps.
    events, past_forgotten
        (meter time, code) of what really happened since the meter was built, oldest first; whether the log was reset.
    profile_reset_s
        True time at which a profile was last emptied, by its name.
    last_seen
        Last invocation counter seen from each role, for the counter objects.
    limits
        Limiter: attributes 4 normal, 5 emergency threshold [W], 6 over, 7 under duration [s]; confidence C.
    pushes
        What a client wrote into push setups: by name and attribute.
    client_title
        System title of the client whose keys the meter holds; empty where it holds none.
    logical_devices
        (server SAP, name) of all meters behind a shared port; empty where the meter stands alone on SAP 1.
    security_policy
        Policy activated by a client; None where the settings' own still holds.
    key_transfer, security_activate, new_secret
        Set by the server: takes wrapped keys by key id (all or none), the new policy, or (role, secret); ValueError
        refuses.
    """

    clock_offset_s: float = 0.0
    clock_sets: list[tuple[float, float]] = field(default_factory=list)
    relay: Relay = field(default_factory=Relay)
    events: list[tuple[int, int]] = field(default_factory=list)
    past_forgotten: bool = False
    profile_reset_s: dict[Obis, float] = field(default_factory=dict)
    demand_reset_s: float | None = None
    limits: dict[int, int] = field(default_factory=lambda: {4: 20_000, 5: 5_000, 6: 60, 7: 60})
    pushes: dict[Obis, dict[int, Value]] = field(default_factory=dict)
    image: Image = field(default_factory=Image)
    alarms: int = 0
    errors: int = 0
    last_seen: dict[Role, int] = field(default_factory=dict)
    status: dict[Role, AssociationStatus] = field(default_factory=dict)
    negotiated: dict[Role, Negotiated] = field(default_factory=dict)
    client_title: bytes = b""
    logical_devices: Sequence[tuple[int, bytes]] = ()
    security_policy: int | None = None
    key_transfer: Callable[[Mapping[int, bytes]], None] | None = None
    security_activate: Callable[[int], None] | None = None
    new_secret: Callable[[Role, bytes], None] | None = None

    def log(self, time_s: int, code: int) -> None:
        """Remember an event at a meter time; more than ``EVENT_ENTRIES`` are not kept."""
        self.events.append((time_s, int(code)))
        del self.events[:-EVENT_ENTRIES]

    def forget_events(self) -> None:
        """Empty the event log, the made-up past included."""
        self.events.clear()
        self.past_forgotten = True
