"""One technology, six answers: the protocol that every medium fulfils, and the plain columns it trades in.

Node numbers: meters are nodes ``0 .. n_meters-1`` in the row order of the meter table, infrastructure sites
(concentrators, collectors, gateways, cells) follow as ``n_meters .. n_meters+n_sites-1``.
A link runs *up* from ``from_node`` to ``to_node`` and *down* the other way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .draws import Draws
from .paths import CablePaths, RadioPaths
from .scenario import Scenario

Array = NDArray[Any]
Paths = RadioPaths | CablePaths

UP, DOWN = 1, 0
"""Directions of a leg: up is meter to head end."""


class Medium(Enum):
    """What a link runs over."""

    RADIO = "radio"
    POWERLINE = "powerline"
    OPERATOR = "operator"


class Siting(Enum):
    """Where the infrastructure of a technology may stand."""

    TRANSFORMER = "transformer"
    CANDIDATE_SITE = "candidate_site"
    OPERATOR_CELL = "operator_cell"


class Reason(IntEnum):
    """Why a meter is not read; one list for the whole product. ``NONE`` marks a served meter."""

    NONE = 0
    BUDGET = 1
    TERRAIN = 2
    BUILDING = 3
    NO_NEIGHBOUR = 4
    HOP_LIMIT = 5
    CAPACITY = 6
    DUTY_CYCLE = 7
    ATTENUATION = 8
    NOISE = 9
    CROSS_PHASE = 10
    NO_TRANSFORMER = 11
    NO_CELL = 12
    BACKHAUL = 13
    NOT_ENERGISED = 14
    DATA_MISSING = 15

    @property
    def label(self) -> str:
        """The word that stands in result files, such as ``hop_limit``."""
        return self.name.lower()


class Influence(Enum):
    """Inputs a technology may declare that its answer depends on; the contract test moves each of them."""

    DISTANCE = "distance"
    SITE_HEIGHT = "site_height"
    TERRAIN = "terrain"
    ENCLOSURE = "enclosure"
    CLUTTER = "clutter"
    TX_POWER = "tx_power"
    NOISE = "noise"
    TRAFFIC = "traffic"
    DENSITY = "density"
    LOAD_IMPEDANCE = "load_impedance"
    CABLE = "cable"
    DUTY_CYCLE = "duty_cycle"


@dataclass(frozen=True)
class Exchanges:
    """Everything that must be said in one period, as legs. Equal-length columns, one row a leg.

    exchange : (n_legs,) int64
        Number of the exchange the leg belongs to; the legs of one exchange stand together and in order.
    leg : (n_legs,) int16
        Position within its exchange, from 0.
    meter : (n_legs,) int32
        Meter row.
    service : (n_legs,) int16
        Row in ``services``.
    direction : (n_legs,) int8
        ``UP`` or ``DOWN``.
    bytes : (n_legs,) int32
        Length handed to the medium: APDU, ciphering and wrapper or HDLC framing [B].
    depends_on : (n_legs,) int16
        Leg of the same exchange that must have arrived before this one starts; -1 for none.
    not_before_s, timeout_s : (n_legs,) float64
        Earliest start within the period, and how long the waiting side waits for an answer [s].
    tries : (n_legs,) int8
        How often the application starts the leg at most, at least 1.
    services : names of the services, in the order of the ``service`` column.
    window_s : time from the start of collection to the deadline, per service [s].
    """

    exchange: Array
    leg: Array
    meter: Array
    service: Array
    direction: Array
    bytes: Array
    depends_on: Array
    not_before_s: Array
    timeout_s: Array
    tries: Array
    services: tuple[str, ...]
    window_s: tuple[float, ...]


@dataclass(frozen=True)
class LinkQuality:
    """What each link can carry in one replication; all columns (n_links,), rows as in the paths.

    snr_up_db, snr_down_db
        Effective signal to noise (and static interference) ratio [dB]; -inf where there is no link.
    margin_up_db, margin_down_db
        Distance to the threshold of the most robust mode [dB]; negative means no reception.
    mode_up, mode_down : int8
        Best usable mode, an index into the technology's ``modes``; -1 for none.
    rate_up_bps, rate_down_bps
        Rate of that mode [bit/s]; 0 for none.
    loss_db
        Plain loss between the antennas or couplers, everything included [dB]; inf for no link.
    limit : int8
        The ``Reason`` that would be given if this link were the meter's best and failed.
    in_range : bool
        False where a model was used outside the range it was fitted for.
    useful_margin_db
        Margin beyond which frames of the most robust mode are lost no more rarely, since impulses wipe out some of them
        whatever the signal [dB]; inf, and so if left out, where no frame is.
    """

    snr_up_db: Array
    snr_down_db: Array
    margin_up_db: Array
    margin_down_db: Array
    mode_up: Array
    mode_down: Array
    rate_up_bps: Array
    rate_down_bps: Array
    loss_db: Array
    limit: Array
    in_range: Array
    useful_margin_db: Array = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        """Fill the column that may be left out."""
        if not self.useful_margin_db.size:
            object.__setattr__(self, "useful_margin_db", np.full(len(self.in_range), np.inf))

    @property
    def spare_up_db(self) -> Array:
        """What the signal may fall on the way up before impulses no longer decide what is lost, (n_links,) [dB]."""
        return _beyond(self.margin_up_db, self.useful_margin_db)

    @property
    def spare_down_db(self) -> Array:
        """Likewise on the way down."""
        return _beyond(self.margin_down_db, self.useful_margin_db)

    @property
    def usable(self) -> Array:
        """(n_links,) bool: both directions have a mode."""
        return (self.mode_up >= 0) & (self.mode_down >= 0)


def _beyond(margin_db: Array, most_db: Array) -> Array:
    return np.subtract(margin_db, most_db, out=np.zeros(margin_db.shape), where=margin_db > most_db)


@dataclass(frozen=True)
class Reach:
    """Which site could serve which meter in one replication, directly or through relays; one row a pair.

    site, meter : (n_pairs,) int32 site row and meter row;  hops : (n_pairs,) int16, 1 is direct.
    """

    site: Array
    meter: Array
    hops: Array


@dataclass(frozen=True)
class Load:
    """What serving costs in airtime, so that siting does not promise more than a site can carry.

    meter_airtime_s : (n_meters,) channel time one site spends on the meter in one period, one hop, best link [s].
    site_capacity_s : channel time one site has in one period [s].
    max_meters_per_site : a limit of the equipment, by count.
    """

    meter_airtime_s: Array
    site_capacity_s: float
    max_meters_per_site: int


@dataclass(frozen=True)
class Routes:
    """Who forwards for whom in one replication.

    server : (n_meters,) int32
        Site row that the meter's data reaches first; -1 for none.
    parent : (n_meters,) int32
        Next node towards that site; -1 for none.
    link : (n_meters,) int64
        Row of the paths used to the parent; -1 for none. The link may be listed in either sense.
    hops : (n_meters,) int16
        Links to the site; 0 for none.
    receiver_start : (n_meters + 1,) int64,  receiver_link : (n_receivers,) int64
        Links on which the meter's uplink may be received, meter by meter (several for LoRaWAN, else its own).
    reason : (n_meters,) int8
        Why there is no route; ``Reason.NONE`` where there is one.
    """

    server: Array
    parent: Array
    link: Array
    hops: Array
    receiver_start: Array
    receiver_link: Array
    reason: Array


@dataclass(frozen=True)
class CourseStep:
    """Part of a day in which nothing changes.

    until_s : its end, from the opening of the collection window [s]; inf for the last
    quality, routes : links and routes of this part
    """

    until_s: float
    quality: LinkQuality
    routes: Routes


@dataclass(frozen=True)
class Outcome:
    """The fate of every exchange in one replication; columns (n_services, n_meters), backhaul not yet included.

    p_arrive
        Probability that the whole exchange is complete at the site by the deadline, 0 to 1.
    latency_p50_s, latency_p95_s
        Latency of a completed exchange [s]; inf where it never completes.
    attempts
        Expected transmissions of the whole exchange on all hops.
    reason : int8
        The ``Reason`` that limits the meter where ``p_arrive`` is below 1; ``NONE`` where nothing does.
    """

    p_arrive: Array
    latency_p50_s: Array
    latency_p95_s: Array
    attempts: Array
    reason: Array


class Cell(Protocol):
    """A cell of the packet tier: real bytes over simulated links, in simulated time."""

    counters: dict[str, int]

    def send(self, source: int, destination: int, payload: bytes) -> Any:
        """A SimPy process that ends with the bytes as they arrived, or with None when they were lost."""
        ...


class PlcCell(Cell, Protocol):
    """A cell on power lines, whose network forms, breaks and heals.

    counters
        ``frames_*`` and ``payloads_*`` with ``sent = delivered + lost + pending``; ``retries``, ``crc_refused``,
        ``collisions``, ``control_frames``.
    joined_s : node to the time at which it last joined [s]; NaN while it has not
    """

    joined_s: dict[int, float]

    def retune(self, quality: LinkQuality) -> None:
        """Links are as this table says from now on."""
        ...

    def fail(self, node: int) -> None:
        """The modem of a node goes silent."""
        ...

    def restore(self, node: int) -> None:
        """The modem of a node that was silent boots again."""
        ...

    def cold_start(self, nodes: Sequence[int]) -> None:
        """These nodes lose all they knew of the network and boot again."""
        ...

    def route(self, node: int) -> list[int]:
        """Nodes from this one to the concentrator by the present tables, both included; empty where there is no way."""
        ...


@runtime_checkable
class Technology(Protocol):
    """The six answers. A technology is a frozen dataclass; its fields are its configuration.

    A radio technology also has the field ``search_radius_m`` (how far the planner looks for sites around a meter),
    a mesh ``neighbour_radius_m`` (how far it looks for other meters), a power line ``max_link_length_m``.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    media: ClassVar[tuple[Medium, ...]]
    siting: ClassVar[Siting]
    influences: ClassVar[tuple[Influence, ...]]

    @property
    def modes(self) -> tuple[str, ...]:
        """Names of the modes, most robust first."""
        ...

    @property
    def exchange_policy(self) -> str:
        """``"pull"`` (the head end asks) or ``"push"`` (the meter sends)."""
        ...

    def assess(self, paths: Any, scenario: Scenario, draws: Draws) -> LinkQuality:
        """What each link can carry in one replication."""
        ...

    def packet_error_ratio(self, snr_db: Array, mode: Array, n_bytes: Array) -> Array:
        """Probability that one frame of ``n_bytes`` is lost at that effective SNR and mode, shape as broadcast."""
        ...

    def airtime_s(self, mode: Array, n_bytes: Array) -> Array:
        """Time on the medium of one frame (or of all its segments and acknowledgements) of ``n_bytes`` [s]."""
        ...

    def n_frames(self, mode: Array, n_bytes: Array) -> Array:
        """Frames, segments, fragments or blocks that `airtime_s` counts for a message of ``n_bytes``."""
        ...

    def reach(self, paths: Any, quality: LinkQuality) -> Reach:
        """Site by meter pairs that siting may count on, through relays where the technology relays."""
        ...

    def load(self, exchanges: Exchanges, paths: Any, quality: LinkQuality) -> Load:
        """Airtime and capacity."""
        ...

    def routes(self, paths: Any, quality: LinkQuality, built: Array) -> Routes:
        """Routes with the sites for which ``built`` (n_sites,) bool is true."""
        ...

    def carry(
        self, exchanges: Exchanges, routes: Routes, paths: Any, quality: LinkQuality, scenario: Scenario, draws: Draws
    ) -> Outcome:
        """Fast tier: the fate of all exchanges, vectorised."""
        ...

    def tables(self) -> Mapping[str, Any]:
        """Rate and sensitivity tables for `amiplan technologies NAME`: title to pandas DataFrame."""
        ...
