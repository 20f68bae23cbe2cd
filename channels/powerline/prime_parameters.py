"""Configuration of PRIME: every number with its unit, source and confidence, and the settings made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mac.prime.settings import MOST_LEVEL, MOST_SWITCHES, PrimeMac
from ..parameters import parameter
from ..phy.plc_adaptation import Adaptation
from ..phy.prime_adaptation import prime_adaptation
from ..phy.prime_ofdm import SPACING_HZ, WINDOW_S, Channels, Mode
from .line_parameters import Carriers
from .prime_forming import PrimeForming

Array = NDArray[Any]

SAMPLING_HZ = 250e3
_OLD, _NEW = "1.3.6", "1.4"
_PIB = "base-node shell of a PRIME 1.4 modem vendor"
_CSMA = {_OLD: (0, 1, 3e-3)}
"""R1, R2 and distance of the senses [s] of version 1.3.6, which has no settings for them (form confidence B)."""
_SEARCH = {_OLD: (24.0, 5.0, 2), _NEW: (60.0, 32.0, 1)}
"""Without beacons: time until the first request for promotion [s], period [s] and most requests in it, after the values
of macMinSwitchSearchTime, macPromotionPduTxPeriod and macMaxPromotionPdu in 1.3.6, macMinBandSearchTime in 1.4."""


@dataclass(frozen=True)
class PrimeParameters(PrimeForming):
    """Parameters of PRIME; the technology inherits them, those of line and network stand in the classes above."""

    version: str = parameter("1.4", "", "1.3.6 or 1.4; robust modes exist in 1.4 only", "ITU-T G.9904, PRIME 1.4")
    first_channel: int = parameter(
        1,
        "1",
        "channel of the physical layer, 1 to 8; 1 is the CENELEC-A band, the only one of 1.3.6",
        "PRIME 1.4",
        minimum=1,
        maximum=8,
    )
    double_channel: bool = parameter(False, "", "use the next channel above too, 1.4 only", "PRIME 1.4")
    legacy_share: float = parameter(
        0.0,
        "1",
        "share of meters of version 1.3.6 in a network of 1.4, drawn for each; they speak frames of type A only",
        "user",
        minimum=0,
        maximum=1,
    )
    frame_code: int = parameter(
        1,
        "1",
        "length of the MAC frame of 1.4: 0 to 3 for 276, 552, 828 or 1104 symbols; 1.3.6 knows the first only",
        f"{_PIB}: codes and range; lengths confidence B, which one networks use is uncertain",
        confidence="C",
        minimum=0,
        maximum=3,
    )
    beacon_slots: int = parameter(
        5,
        "1",
        "slots for beacons in each MAC frame of 1.3.6, the base node's among them",
        "macBeaconsPerFrame in a field log, 5",
        minimum=2,
        maximum=5,
    )
    robust_beacon_slots: int = parameter(
        3,
        "1",
        "the same in 1.4, where a robust beacon is five times as long",
        "a choice: 1.4 places beacons freely",
        confidence="C",
        minimum=2,
        maximum=8,
    )
    csma_r1: int = parameter(
        4,
        "1",
        "macCSMAR1 of 1.4: growth of the backoff window, for modems with robust modes",
        _PIB,
        minimum=0,
        maximum=5,
    )
    csma_r2: int = parameter(
        2, "1", "macCSMAR2 of 1.4: least size of the backoff window, likewise", _PIB, minimum=1, maximum=8
    )
    csma_delay_s: float = parameter(
        6e-3, "s", "distance of two looks at the line in 1.4, likewise", _PIB, minimum=3e-3, maximum=9e-3
    )
    sense_count: int = parameter(
        2,
        "1",
        "macSCPChSenseCount: looks at the line before a transmission",
        _PIB,
        confidence="B",
        minimum=2,
        maximum=5,
    )
    max_attempts: int = parameter(
        5, "1", "macSCPMaxTxAttempts: busy looks after which a frame is dropped", _PIB, minimum=2, maximum=5
    )
    arq: bool = parameter(
        True, "", "connections acknowledge end to end; false loses a message with any of its segments", "ITU-T G.9904"
    )
    arq_window: int = parameter(
        1,
        "1",
        "segments under way before an acknowledgement, at most 32",
        "1 is typical of 4-32 connections",
        confidence="B",
        minimum=1,
        maximum=32,
    )
    arq_tries: int = parameter(
        5, "1", "times a segment is sent at most", "a choice", confidence="C", minimum=1, maximum=20
    )
    arq_timeout_s: float = parameter(
        2.0,
        "s",
        "time per level of the tree that a sender waits for an acknowledgement",
        "a choice: longer than two robust frames and their access",
        confidence="C",
        minimum=0.1,
        maximum=60,
    )
    sar_bytes: int = parameter(
        192,
        "B",
        "payload of one segment: 16, 32, 48, 64, 128, 192 or 255; 0 for as much as fits",
        "macSARSize codes 0 to 7 of 1.4 (sizes confidence B); which one networks use is uncertain",
        confidence="C",
        minimum=0,
        maximum=255,
    )
    security_bytes: int = parameter(
        0,
        "B",
        "security header and integrity code of a packet",
        "profile 0 has none",
        confidence="C",
        maximum=40,
        minimum=0,
    )
    control_tries: int = parameter(
        3, "1", "times an unanswered control packet is sent", "macMaxCtlReTx", confidence="B", minimum=1, maximum=10
    )
    control_timeout_s: float = parameter(
        15.0, "s", "wait before it is sent again", "macCtlReTxTimer", confidence="B", minimum=1, maximum=100
    )
    alive_code: int = parameter(
        5,
        "1",
        "keep-alive period of each node, 32 s times two to this power",
        "ITU-T G.9904: 32 to 4096 s (confidence B); which one networks use is uncertain",
        confidence="C",
        minimum=0,
        maximum=7,
    )
    alive_tries: int = parameter(
        3,
        "1",
        "missed keep-alive periods after which a node counts as gone",
        "a simulator of PRIME 1.3.6",
        confidence="B",
        minimum=1,
        maximum=10,
    )
    alive_hop_tries: int = parameter(
        5, "1", "macALVHopRepetitions: times each hop of 1.4 repeats a keep-alive", _PIB, minimum=0, maximum=7
    )
    robustness_s: float = parameter(
        240.0,
        "s",
        "macUpdatedRMTimeout: what a neighbour was heard like is believed so long, then the most robust mode is used",
        _PIB,
        minimum=60,
        maximum=3600,
    )
    max_level: int = parameter(
        MOST_LEVEL, "1", "deepest level of a switch", "six bits in the header", minimum=0, maximum=MOST_LEVEL
    )
    max_switches: int = parameter(
        MOST_SWITCHES,
        "1",
        "switches of one base node, as far as beacon slots suffice",
        "identity of one byte",
        confidence="B",
        minimum=0,
        maximum=MOST_SWITCHES,
    )
    keep_registration: bool = parameter(
        True,
        "",
        "nodes stay with their switch while they hear it; false builds the tree anew at every moment",
        "ITU-T G.9904",
        confidence="B",
    )
    site_meters: int = parameter(
        1000,
        "1",
        "meters one base node keeps registered",
        "a choice: an address of 14 bits below each switch sets no limit",
        confidence="C",
        minimum=1,
        maximum=1e5,
    )

    def __post_init__(self) -> None:
        """Refuse values that contradict each other or name nothing known; ValueError naming the keys and the fix."""
        super().__post_init__()
        if self.version == _OLD and (self.legacy_share > 0 or self.double_channel or self.first_channel != 1):
            key = (
                "legacy_share"
                if self.legacy_share > 0
                else "double_channel"
                if self.double_channel
                else "first_channel"
            )
            raise ValueError(f"{key} = {getattr(self, key)} is of version 1.4; set version = '1.4' or leave {key} out")
        _ = self.mac

    @property
    def channels(self) -> Channels:
        """Where the network works. Raises ValueError for a double channel beyond the eighth."""
        return Channels(self.first_channel, self.double_channel)

    @property
    def mac(self) -> PrimeMac:
        """MAC constants of this configuration. Raises ValueError where they leave no room for a frame."""
        old = self.version == _OLD
        r1, r2, delay_s = _CSMA.get(self.version, (self.csma_r1, self.csma_r2, self.csma_delay_s))
        search_s, pnpdu_s, pnpdus = _SEARCH.get(self.version, _SEARCH[_NEW])
        return PrimeMac(
            version=self.version,
            channels=self.channels,
            mixed=self.legacy_share > 0,
            frame_code=0 if old else self.frame_code,
            beacon_slots=self.beacon_slots if old else self.robust_beacon_slots,
            r1=r1,
            r2=r2,
            sense_count=self.sense_count,
            sense_delay_s=delay_s,
            max_attempts=self.max_attempts,
            arq=self.arq,
            arq_window=self.arq_window,
            arq_tries=self.arq_tries,
            arq_timeout_s=self.arq_timeout_s,
            sar_bytes=self.sar_bytes,
            security_bytes=self.security_bytes,
            control_tries=self.control_tries,
            control_timeout_s=self.control_timeout_s,
            forming=self.forming,
            search_s=search_s,
            pnpdu_period_s=pnpdu_s,
            most_pnpdus=pnpdus,
            alive_s=32.0 * 2**self.alive_code,
            alive_tries=self.alive_tries,
            alive_hop_tries=self.alive_hop_tries,
            robustness_s=self.robustness_s,
            most_level=self.max_level,
            most_switches=self.max_switches,
            processing_s=self.processing_s,
            loss_db=self.implementation_loss_db,
            preamble_snr_db=self.preamble_snr_db,
        )

    @property
    def table(self) -> tuple[Mode, ...]:
        """Modes that nodes of the network's own version use, most robust first."""
        return self.mac.table

    @property
    def carriers(self) -> Carriers:
        """Carriers in use, as the line needs them."""
        band = f"PRIME channel {self.channels.label}"
        return Carriers(band, np.asarray(self.channels.frequency_hz), SPACING_HZ, WINDOW_S, SAMPLING_HZ)

    def adaptation(self, kind: str) -> Adaptation:
        """Modes of a frame type for the choice of one."""
        return prime_adaptation(
            self.channels,
            kind,
            self.state_of_bin,
            loss_db=self.implementation_loss_db,
            margin_db=self.mode_margin_db,
            mains_hz=self.mains_hz,
        )
