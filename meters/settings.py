"""How meters are read: encoding, security, association, framing. Every default says what it means and where from."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

ENCODINGS = ("full", "null_timestamps", "null_unchanged", "delta", "compact_array")

CHOICES: dict[str, tuple[Any, ...]] = {
    "profile_values": ("registers", "energy"),
    "encoding": ENCODINGS,
    "security": ("suite_0", "suite_1", "suite_2", "lls", "none"),
    "protection": ("authenticated_encrypted", "authenticated", "encrypted"),
    "ciphering": ("glo", "general_glo"),
    "association": ("pre_established", "kept_open", "fresh"),
    "framing": ("wrapper", "hdlc"),
    "hdlc_server_address_bytes": (1, 2, 4),
    "block_transfer": ("get", "general"),
}

PROTECTION_BITS = {"authenticated_encrypted": 0x30, "authenticated": 0x10, "encrypted": 0x20}
"""Bits of the security control byte, DLMS UA 1000-2 ed. 8.1, table 18."""


def setting(
    default: Any,
    unit: str,
    meaning: str,
    source: str,
    confidence: str = "A",
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """A field with its unit, meaning, source, confidence (A read, B known, C our choice) and inclusive limits."""
    notes = {
        "unit": unit,
        "meaning": meaning,
        "source": source,
        "confidence": confidence,
        "minimum": minimum,
        "maximum": maximum,
    }
    return field(default=default, metadata=notes)


def check_limits(instance: Any) -> None:
    """Raise ValueError naming the first field of a dataclass that lies outside the limits of its `setting`."""
    for item in fields(instance):
        value, low, high = getattr(instance, item.name), item.metadata.get("minimum"), item.metadata.get("maximum")
        if (low is not None and not value >= low) or (high is not None and not value <= high):
            raise ValueError(f"{item.name} = {value}: {low} to {high} {item.metadata['unit']} is allowed; change it")


@dataclass(frozen=True)
class ServiceSettings:
    """What one reading says on the wire. Raises ValueError for a value outside its limits or choices."""

    profile_channels: int = setting(
        4, "-", "registers per row of the load profile", "import, export, reactive import and export", "A", 1, 4
    )
    profile_interval_min: int = setting(
        15, "min", "capture period of the load profile; divides a day", "EU market interval, 15 min", "A", 1, 1440
    )
    profile_values: str = setting(
        "registers",
        "-",
        "registers: their state, 32 bits; energy: what they gained in the interval, 16 bits",
        "OBIS 1.8.0 and 1.29.0 of IEC 62056-6-1:2017",
    )
    profile_status: bool = setting(
        False, "-", "one byte of status after the time of a row", "common in national profiles", "B"
    )
    profile_timestamps: bool = setting(
        True, "-", "false: rows without their times, by selected columns; pull only", "IEC 62056-6-2:2021, class 7"
    )
    encoding: str = setting(
        "full",
        "-",
        "full: a time in every row; null_timestamps: only in the first row and after a gap; null_unchanged: and "
        "nothing for a value that did not change; delta: and differences to the row before; compact_array: the types "
        "once, then contents only",
        "IEC 62056-6-2:2021, 4.3.6, null-data in the buffer; IEC 62056-5-3:2017, delta types and compact-array",
    )
    billing_registers: int = setting(
        12, "-", "registers in the row of a day's billing", "total and tariffs of several quantities", "B", 1, 12
    )
    event_rows: int = setting(20, "-", "rows of the event log that are read", "choice of ours", "C", 1, 200)
    security: str = setting(
        "suite_0",
        "-",
        "suite_0, suite_1, suite_2: AES-GCM with keys of 16, 16, 32 bytes; lls: a password; none",
        "IEC 62056-5-3:2017, 5.3",
    )
    protection: str = setting(
        "authenticated_encrypted", "-", "what a suite does to each APDU", "IEC 62056-5-3:2017, 5.3, security control"
    )
    ciphering: str = setting(
        "glo",
        "-",
        "glo: a tag for each service; general_glo: one tag and the sender's title, 9 bytes more",
        "IEC 62056-5-3:2017, 6",
    )
    association: str = setting(
        "pre_established",
        "-",
        "pre_established: never opened; kept_open: opened by the day's first service; fresh: opened and released for "
        "each service",
        "choice",
        "C",
    )
    read_counter: bool = setting(
        False,
        "-",
        "read the invocation counter through the public association before opening the own one",
        "common in national profiles",
        "B",
    )
    framing: str = setting("wrapper", "-", "wrapper over UDP or TCP, or hdlc", "IEC 62056-4-7:2015; IEC 62056-46:2002")
    max_pdu_bytes: int = setting(
        1024,
        "B",
        "longest APDU either side takes, ciphering included",
        "fits an IPv6 packet of 1280 B",
        "C",
        128,
        65535,
    )
    block_transfer: str = setting(
        "get",
        "-",
        "get: a request for each block of a long answer; general: blocks of the whole APDU, several in one window",
        "IEC 62056-5-3:2017, general block transfer",
    )
    general_window: int = setting(
        4, "-", "blocks in a window of general block transfer", "IEC 62056-5-3:2017, 6 bits", "B", 1, 63
    )
    hdlc_max_info_bytes: int = setting(
        128, "B", "information field of an HDLC frame, LLC included", "IEC 62056-46:2002, default", "A", 32, 2030
    )
    hdlc_window: int = setting(1, "-", "HDLC frames in a window", "IEC 62056-46:2002, default", "A", 1, 7)
    hdlc_server_address_bytes: int = setting(
        1, "B", "length of the meter's HDLC address: 1, 2 or 4", "IEC 62056-46:2002, 6.4.2", "A"
    )
    timeout_s: float = setting(60.0, "s", "how long a side waits before it asks again", "choice of ours", "C", 0.001)
    tries: int = setting(3, "-", "how often a request is started at most", "choice of ours", "C", 1, 100)
    push_tries: int = setting(
        1,
        "-",
        "how often a push is started; it is unconfirmed, so the meter cannot know",
        "choice of ours",
        "C",
        1,
        100,
    )

    def __post_init__(self) -> None:
        check_limits(self)
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} = {getattr(self, name)!r}: choose one of {', '.join(map(str, choices))}")
        if 1440 % self.profile_interval_min:
            raise ValueError(f"profile_interval_min = {self.profile_interval_min}: it must divide 1440 minutes")

        if self.read_counter and (not self.ciphered or self.association == "pre_established"):
            raise ValueError(
                "read_counter = true needs security suite_0, suite_1 or suite_2 and association kept_open or fresh: "
                "change these, or leave it out"
            )

    @property
    def n_intervals(self) -> int:
        """Rows of one day's load profile."""
        return 1440 // self.profile_interval_min

    @property
    def ciphered(self) -> bool:
        """Whether APDUs are protected by a suite."""
        return self.security.startswith("suite_")

    @property
    def suite(self) -> int:
        """Number of the security suite; 0 where there is none."""
        return int(self.security[-1]) if self.ciphered else 0

    @property
    def protection_bits(self) -> int:
        """Security control bits of ``protection``: 0x10 authenticated, 0x20 encrypted, 0x30 both."""
        return PROTECTION_BITS[self.protection]
