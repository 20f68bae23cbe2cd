"""The two published sets of network constants of G3-PLC, and the rule that -1 leaves a number to the set."""

from __future__ import annotations

from dataclasses import dataclass

AS_PROFILE = -1
"""Value of a parameter that leaves the number to the profile."""


@dataclass(frozen=True)
class ProfileNumber:
    """A number of both profiles: ``g9903`` and ``metering``; ``least`` is the smallest that may be given instead."""

    g9903: float
    metering: float
    least: float = 0.0


# Values of ITU-T G.9903 as vendors' conformance settings and demonstrations give them, and of one vendor's set for
# metering. Confidence A for the values, B for calling the second one "metering".
PROFILE_NUMBERS: dict[str, ProfileNumber] = {
    #                                 G.9903  metering
    "max_hops":         ProfileNumber(     8,       14, 1),
    "max_be":           ProfileNumber(     8,        9),
    "csma_decrease":    ProfileNumber(     8,        3, 1),
    "cost_robust":      ProfileNumber(   0.0,      0.0),
    "cost_modulation":  ProfileNumber(   0.0,      0.0),
    "cost_tones":       ProfileNumber(   0.0,      0.0),
    "cost_quality":     ProfileNumber(  10.0,     30.0),
    "cost_hop":         ProfileNumber(     4,        4),
    "cost_routes":      ProfileNumber(   0.0,      8.0),
    "lqi_low":          ProfileNumber(   0.0,     52.0),
    "lqi_high":         ProfileNumber( 255.0,    100.0),
    "weak_lqi":         ProfileNumber(  52.0,     58.0),
    "net_traversal_s":  ProfileNumber(  20.0,     40.0, 0.1),
    "rrep_wait_s":      ProfileNumber(   4.0,      8.0),
    "beacon_window_s":  ProfileNumber(  12.0,     45.0, 0.1),
    "max_join_wait_s":  ProfileNumber(  20.0,     90.0, 0.1),
}  # fmt: skip
PROFILES = ("g9903", "metering")


def in_force(profile: str, told: dict[str, float]) -> dict[str, float]:
    """The numbers that count: those told, and of the profile where -1 was told.

    Parameters
    ----------
    profile : one of ``PROFILES``;  told : every name of ``PROFILE_NUMBERS``

    Returns
    -------
    Name to number, of the type told. Raises ValueError for an unknown profile and a number below its least.

    >>> in_force("metering", dict.fromkeys(PROFILE_NUMBERS, -1))["max_hops"]
    14
    """
    if profile not in PROFILES:
        raise ValueError(f"profile = {profile!r} is unknown; write one of {', '.join(PROFILES)}")
    numbers: dict[str, float] = {}
    for name, number in PROFILE_NUMBERS.items():
        value = told[name]
        if value != AS_PROFILE and value < number.least:
            raise ValueError(f"{name} = {value}: give at least {number.least:g}, or {AS_PROFILE} for the profile's")
        numbers[name] = type(value)(getattr(number, profile)) if value == AS_PROFILE else value
    return numbers
