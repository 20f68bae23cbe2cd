"""MAC constants of one PRIME network and the MAC frame that follows from them; both tiers read them here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np

from ...phy.prime_adaptation import adaptive_modes
from ...phy.prime_ofdm import (
    FLUSH_BYTES,
    FRAME_TYPES,
    LENGTH_UNITS,
    SYMBOL_S,
    Channels,
    Mode,
    largest_psdu_bytes,
    psdu_airtime_s,
)
from .forming import Forming

VERSIONS = ("1.3.6", "1.4")
FRAME_SYMBOLS = (276, 552, 828, 1104)
"""Symbols of a MAC frame by the length code of version 1.4; 1.3.6 knows the first only (lengths confidence B)."""
GUARD_SYMBOLS = 1
"""Symbols left free behind each beacon and at the end of the MAC frame (confidence B: with five slots of 1.3.6 it gives
the 245 symbols of shared contention period that a field log shows)."""
MOST_SLOT_FRAMES = 32
"""A switch sends its beacon at least once in so many MAC frames: the beacon sequence number has five bits."""
MOST_SWITCHES = 254
"""A switch has an identity of one byte; 0 is the base node's and 255 addresses nobody (confidence B)."""
MOST_LEVEL = 63
"""The level of a node has six bits in every header."""
ALIVE_BYTES, HOP_ANSWER_BYTES, REQUEST_BYTES = 16, 14, 14
"""Frames of a keep-alive (headers and check 13, counts, time and switch 3), of its answer on one hop (one byte behind
the same headers, length confidence C), and of a node's request for a switch (PNPDU)."""
MOST_SEGMENTS = 63
"""Segments of one message: the count in the segmentation header has six bits."""
SAR_BYTES = (0, 16, 32, 48, 64, 128, 192, 255)
"""Segment payload by its code in version 1.4; the first leaves it to the sender (codes 1 to 7 confidence B)."""

BEACON_BYTES = 18
"""Beacon of 1.3.6: flags 1, switch identity 1, counts and contention-free part 2, level 1, sequence 1, subnetwork 6,
costs 2, CRC-32 4 (layout read in a published 1.3.6 dissector); the same length is taken for 1.4 (confidence C)."""
GENERIC_HEADER_BYTES, PACKET_HEADER_BYTES, CRC_BYTES = 3, 6, 4
"""Generic header with its check, header of one packet (priority, connection, switch, node, length), CRC-32."""
ARQ_HEADER_BYTES, SAR_HEADER_BYTES = 2, 1
"""Packet number and acknowledgement behind each other; kind of segment and its number."""
LLC_BYTES = 3
"""Header of the IEC 61334-4-32 convergence layer: control, source and destination, once per message."""

CONTROL_PRIORITY, DATA_PRIORITY = 1, 2
"""0 is the most urgent of four; that control packets take 1 and data 2 is confidence C."""


@dataclass(frozen=True)
class PrimeMac:
    """MAC constants of one network.

    version, channels : of the specification, and where the network works
    mixed : modems of 1.3.6 take part in a network of 1.4
    frame_code, beacon_slots : length code of the MAC frame, and slots for beacons at its start
    r1, r2, sense_count, sense_delay_s, max_attempts : CSMA/CA; see `window_symbols`
    arq, arq_window, arq_tries, arq_timeout_s : acknowledged connections, packets under way at a time, how often one is
        sent at most, and how long per level of the tree the sender waits for a word once its window is out
    sar_bytes : segment payload asked for, one of `SAR_BYTES`;  security_bytes : per packet
    control_tries, control_timeout_s : a control packet without its answer is sent so often, at this distance
    forming : timers of registration and promotion
    search_s, pnpdu_period_s, most_pnpdus : a node without beacons waits so long, then asks so often per period
    alive_s, alive_tries : keep-alive period of each node, and how many may be missed
    alive_hop_tries : how often a hop of 1.4 repeats an unanswered keep-alive
    robustness_s : what was learnt of a neighbour's reception is believed so long
    most_level, most_switches : depth of the tree, and how many may relay
    processing_s : a node takes so long over a packet before it passes it on
    loss_db : implementation loss;  preamble_snr_db : SNR at which half of the preambles are found, before that loss
    """

    version: str
    channels: Channels
    mixed: bool
    frame_code: int
    beacon_slots: int
    r1: int
    r2: int
    sense_count: int
    sense_delay_s: float
    max_attempts: int
    arq: bool
    arq_window: int
    arq_tries: int
    arq_timeout_s: float
    sar_bytes: int
    security_bytes: int
    control_tries: int
    control_timeout_s: float
    forming: Forming
    search_s: float
    pnpdu_period_s: float
    most_pnpdus: int
    alive_s: float
    alive_tries: int
    alive_hop_tries: int
    robustness_s: float
    most_level: int
    most_switches: int
    processing_s: float
    loss_db: float
    preamble_snr_db: float

    def __post_init__(self) -> None:
        """Refuse what cannot work; ValueError naming culprit and fix."""
        if self.version not in VERSIONS:
            raise ValueError(f"PRIME version {self.version!r} is unknown; write one of {', '.join(VERSIONS)}")
        if self.version == "1.3.6" and (self.frame_code or self.mixed):
            what = "mixed cells are" if self.mixed else f"frame code {self.frame_code} is"
            raise ValueError(f"{what} of version 1.4; set version = '1.4' or leave that out")
        if self.sar_bytes not in SAR_BYTES:
            raise ValueError(f"sar_bytes = {self.sar_bytes}: segments may hold {', '.join(map(str, SAR_BYTES))} B")
        if self.segment_payload_bytes < 1:
            raise ValueError(
                f"{self.beacon_slots} beacon slots leave {self.scp_symbols} of {self.frame_symbols} symbols for data, "
                "too few for a frame; use fewer slots or a longer MAC frame"
            )

    @property
    def frame_symbols(self) -> int:
        """Symbols of the MAC frame."""
        return FRAME_SYMBOLS[self.frame_code]

    @property
    def frame_s(self) -> float:
        """Length of the MAC frame [s]."""
        return self.frame_symbols * SYMBOL_S

    @property
    def data_frame(self) -> str:
        """Type of physical frame between two nodes that are not of the old version."""
        return "A" if self.version == "1.3.6" else "BC" if self.mixed else "B"

    @cached_property
    def table(self) -> tuple[Mode, ...]:
        """Modes of `data_frame`, most robust first; link tables hold indices into it."""
        return adaptive_modes(self.channels, self.data_frame)

    @cached_property
    def beacons(self) -> tuple[tuple[str, Mode], ...]:
        """Frame type and mode of the beacons sent in one slot.

        The most robust mode each generation understands; where both are there a slot holds one of each (confidence C).
        """
        own = ((self.data_frame, self.table[0]),)
        return (*own, ("A", adaptive_modes(self.channels, "A")[0])) if self.mixed else own

    @cached_property
    def beacon_s(self) -> tuple[float, ...]:
        """Airtime of the beacons of one slot [s]."""
        return tuple(float(psdu_airtime_s(np.array(BEACON_BYTES), mode, kind)) for kind, mode in self.beacons)

    @cached_property
    def slot_symbols(self) -> int:
        """Symbols of one beacon slot with its guards: five and one in 1.3.6."""
        return sum(ceil(airtime_s / SYMBOL_S - 1e-9) + GUARD_SYMBOLS for airtime_s in self.beacon_s)

    @cached_property
    def slot_s(self) -> float:
        """Length of one beacon slot with its guards [s]; slot k of a MAC frame starts after k of them."""
        return self.slot_symbols * SYMBOL_S

    @cached_property
    def scp_symbols(self) -> int:
        """Symbols of the shared contention period: what beacons and guards leave; 245 in 1.3.6 with five slots."""
        return self.frame_symbols - self.beacon_slots * self.slot_symbols - GUARD_SYMBOLS

    @cached_property
    def scp_s(self) -> float:
        """Length of the shared contention period [s]."""
        return self.scp_symbols * SYMBOL_S

    @cached_property
    def scp_start_s(self) -> float:
        """Start of the shared contention period within its MAC frame [s]."""
        return self.beacon_slots * self.slot_s

    @property
    def most_sending_switches(self) -> int:
        """Switches that the beacon slots and the identities admit."""
        return min(self.most_switches, (self.beacon_slots - 1) * MOST_SLOT_FRAMES)

    def beacon_every_frames(self, n_switches: int) -> int:
        """MAC frames between two beacons of one switch: the least power of two for which all find a slot, 1 to 32."""
        sharing = -(-n_switches // max(self.beacon_slots - 1, 1))
        return int(min(MOST_SLOT_FRAMES, 1 << max(sharing - 1, 0).bit_length()))

    def answers_hops(self, kind: str) -> bool:
        """Whether a hop answers a keep-alive and repeats one unanswered: where both ends are of version 1.4.

        ``kind`` is the type of their frames, A where one end is older.
        """
        return kind != "A" and self.alive_hop_tries > 0

    def request_every_s(self, kind: str) -> float:
        """Mean time between two requests of a node that has asked for a switch in vain for long [s].

        ``kind`` is the type of its frames to all, A for a node of version 1.3.6.
        """
        return self.forming.slowest_request_s if kind == "A" else self.pnpdu_period_s / self.most_pnpdus

    @cached_property
    def senses_s(self) -> float:
        """From the first look at the line to the last before a transmission [s]."""
        return (self.sense_count - 1) * self.sense_delay_s

    @cached_property
    def sense_db(self) -> float:
        """SNR of the most robust mode from which a node notices that a frame is on the line [dB]: half its preambles.

        The preamble is sent louder than the rest by the boost of its frame type.
        """
        return self.preamble_snr_db + self.loss_db - FRAME_TYPES[self.data_frame].boost_db

    def window_symbols(self, priority: int, attempt: int) -> int:
        """Largest backoff of an attempt [symbols]; the draw is uniform over 0 to it, both included.

        References
        ----------
        PRIME 1.3.6 CSMA/CA, min(2^(priority + attempt) + 1, SCP / 2) (confidence B); 1.4 adds its two settings,
        2^(priority + attempt + R1) + R2 (form confidence C, R1 = 0 and R2 = 1 give the older rule).
        """
        return min((1 << (priority + attempt + self.r1)) + self.r2, self.scp_symbols // 2)

    def mean_backoff_s(self, priority: int) -> float:
        """Mean of the first backoff of a frame [s]."""
        return self.window_symbols(priority, 0) * SYMBOL_S / 2

    def largest_psdu_bytes(self, mode: Mode, kind: str) -> int:
        """Largest MAC frame that the length field admits and the contention period has room for [B]."""
        frame = FRAME_TYPES[kind]
        left_s = self.scp_s - self.senses_s - frame.head_s
        units = min(LENGTH_UNITS, int((left_s / SYMBOL_S + 1e-9) // mode.unit_symbols))
        room = units * mode.unit_bytes - FLUSH_BYTES * mode.waveform.coded + frame.in_header_bytes
        return max(0, min(room, largest_psdu_bytes(mode, kind)))

    @cached_property
    def overhead_bytes(self) -> int:
        """Headers and check of a frame with one data packet [B]."""
        headers = GENERIC_HEADER_BYTES + PACKET_HEADER_BYTES + SAR_HEADER_BYTES + CRC_BYTES
        return headers + self.security_bytes + ARQ_HEADER_BYTES * self.arq

    @cached_property
    def segment_payload_bytes(self) -> int:
        """Payload of one segment [B]: what was asked for, or the most, cut to what each mode can send on any hop."""
        kinds = {self.data_frame, "A"} if self.mixed else {self.data_frame}
        room = min(
            self.largest_psdu_bytes(mode, kind) for kind in kinds for mode in adaptive_modes(self.channels, kind)
        )
        return min(self.sar_bytes or SAR_BYTES[-1], room - self.overhead_bytes)
