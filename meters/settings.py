"""How meters are read: encoding, security, association, framing. Every default says what it means and where from."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

CHOICES = {
    "encoding": ("full", "null_timestamps"),
    "security": ("suite_0", "none"),
    "association": ("pre_established", "fresh"),
    "framing": ("wrapper", "hdlc"),
}


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
    encoding: str = setting(
        "full",
        "-",
        "full: a time in every row; null_timestamps: only in the first row of a response",
        "IEC 62056-6-2:2021, 4.3.6, null-data in the buffer",
    )
    security: str = setting(
        "suite_0", "-", "suite_0: authenticated and encrypted, AES-128-GCM; none", "IEC 62056-5-3:2017, 5.3"
    )
    association: str = setting(
        "pre_established", "-", "pre_established: kept open; fresh: opened and released for each reading", "choice", "C"
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
    hdlc_max_info_bytes: int = setting(
        128, "B", "information field of an HDLC frame, LLC included", "IEC 62056-46:2002, default", "A", 32, 2030
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
                raise ValueError(f"{name} = {getattr(self, name)!r}: choose one of {', '.join(choices)}")
        if 1440 % self.profile_interval_min:
            raise ValueError(f"profile_interval_min = {self.profile_interval_min}: it must divide 1440 minutes")

    @property
    def n_intervals(self) -> int:
        """Rows of one day's load profile."""
        return 1440 // self.profile_interval_min

    @property
    def ciphered(self) -> bool:
        """Whether APDUs are authenticated and encrypted."""
        return self.security == "suite_0"
