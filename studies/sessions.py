"""What is said in a study: bytes of every service, what each medium makes of them, and whether templates hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from ..channels.technology import Technology
from ..gis.area import ServiceArea
from ..meters.fleet_check import Agreement, agreed
from ..meters.fleet_data import TEMPLATES
from ..meters.services import (
    SERVICES,
    Legs,
    ServiceSettings,
    can_deliver,
    exchange_legs,
    policy_of,
    session_table,
    spoken,
    summary_table,
)
from ..meters.settings import ENCODINGS
from ..planner.exchanges import PROFILE_DAY, other_ways
from .case import Case

ENCODING_WORDS = {
    "full": "a time in every row",
    "null_timestamps": "time in the first row only",
    "null_unchanged": "time first, nothing for values that did not change",
    "delta": "time first, differences to the row before",
    "compact_array": "types once, then contents",
}
VALUE_WORDS = {"registers": "registers, 32 bits", "energy": "energy of the interval, 16 bits"}


@dataclass(frozen=True)
class Traffic:
    """Tables of the report's section on traffic.

    totals : DataFrame ``service, policy, bytes_up, bytes_down, messages, turns`` for the case's settings
    encodings : DataFrame ``encoding, profile_values`` and the same numbers, a day's load profile as pulled
    media : DataFrame ``technology, service, policy, mode, frames, airtime_s``, in the most robust and the fastest mode
    carried : DataFrame ``encoding, profile_values, technology, policy, airtime_s``, a day's load profile as each
        technology carries it in its most robust mode
    settings : how it is said;  notes : sentences for the reader;  agreement : templates against real meters
    """

    totals: pd.DataFrame
    encodings: pd.DataFrame
    media: pd.DataFrame
    carried: pd.DataFrame
    settings: ServiceSettings
    notes: tuple[str, ...]
    agreement: Agreement


def session_rows(case: Case) -> pd.DataFrame:
    """Legs of the services that this case reads, for the exchange policies that its technologies use."""
    settings, level = case.settings.session, case.settings.service
    rows = session_table(settings)
    pairs = {(s, policy_of(s, one.exchange_policy, settings)) for one in case.technologies for s in level.services}
    wanted = [pair in pairs for pair in zip(rows["service"], rows["policy"], strict=True)]
    return rows[wanted].reset_index(drop=True)


def traffic_of(case: Case, area: ServiceArea) -> Traffic:
    """The traffic of a study; raises TemplateFault where templates and this study's meters do not say the same."""
    settings = case.settings.session
    keys, kinds = area.meters["key"].to_numpy(np.uint64), area.meters["kind"].to_numpy(object)
    return Traffic(
        totals=summary_table(settings),
        encodings=encoding_table(settings),
        media=pd.concat([media_table(one, settings) for one in case.technologies], ignore_index=True),
        carried=pd.concat([carried_table(one, settings) for one in case.technologies], ignore_index=True),
        settings=settings,
        notes=tuple(_notes(case)),
        agreement=agreed(keys, kinds, PROFILE_DAY, settings, case.settings.simulation.seed, services=_compared(case)),
    )


def _compared(case: Case) -> tuple[str, ...]:
    """The services of the case, and what has a template."""
    return tuple(dict.fromkeys((*TEMPLATES, *case.settings.service.services)))


def encoding_table(settings: ServiceSettings) -> pd.DataFrame:
    """A day's load profile of a house in every encoding, as pulled under otherwise equal settings."""
    rows = [
        (one.encoding, one.profile_values, *vars(spoken(exchange_legs("profile", "pull", one))).values())
        for one in _every_encoding(settings)
        if can_deliver("profile", "pull", one)
    ]
    head = ["encoding", "profile_values", "bytes_up", "bytes_down", "messages", "turns"]
    return pd.DataFrame(rows, columns=head)


def carried_table(technology: Technology, settings: ServiceSettings) -> pd.DataFrame:
    """A day's load profile of a house in every encoding, as one technology carries it in its most robust mode."""
    rows = []
    for one in _every_encoding(settings):
        policy = policy_of("profile", technology.exchange_policy, one)
        if can_deliver("profile", policy, one):
            _, airtime_s = _carried(technology, 0, exchange_legs("profile", policy, one))
            rows.append((one.encoding, one.profile_values, technology.name, policy, airtime_s))
    return pd.DataFrame(rows, columns=["encoding", "profile_values", "technology", "policy", "airtime_s"])


def _every_encoding(settings: ServiceSettings) -> list[ServiceSettings]:
    forms = product(("registers", "energy"), ENCODINGS)
    return [replace(settings, encoding=encoding, profile_values=values) for values, encoding in forms]


def media_table(technology: Technology, settings: ServiceSettings) -> pd.DataFrame:
    """What one technology makes of each service: frames and time on the medium, one hop, nothing repeated."""
    rows = []
    for service in SERVICES:
        policy = policy_of(service, technology.exchange_policy, settings)
        if not can_deliver(service, policy, settings):
            continue
        legs = exchange_legs(service, policy, settings)
        for mode in dict.fromkeys((0, len(technology.modes) - 1)):
            frames, airtime_s = _carried(technology, mode, legs)
            rows.append((technology.name, service, policy, technology.modes[mode], frames, airtime_s))
    return pd.DataFrame(rows, columns=["technology", "service", "policy", "mode", "frames", "airtime_s"])


def _carried(technology: Technology, mode: int, legs: Legs) -> tuple[int, float]:
    modes = np.full(legs.bytes.size, mode)
    n_frames: Any = technology.n_frames(modes, legs.bytes)
    return int(np.sum(n_frames)), float(np.sum(technology.airtime_s(modes, legs.bytes)))


def way_words(settings: ServiceSettings) -> str:
    """How it is said, in one line.

    >>> way_words(ServiceSettings())
    'security suite 0, association pre-established, over wrapper, APDUs of at most 1024 B'
    """
    security = {"none": "no security", "lls": "a password (LLS)"}
    association = settings.association.replace("pre_", "pre-").replace("_", " ")
    secured = security.get(settings.security, f"security {settings.security.replace('_', ' ')}")
    return f"{secured}, association {association}, over {settings.framing}, APDUs of at most {settings.max_pdu_bytes} B"


def _notes(case: Case) -> list[str]:
    """How it is said, and which services go another way than their technology's, because that cannot deliver them."""
    level, settings = case.settings.service, case.settings.session
    notes = [f"How it is said: {way_words(settings)}."]
    for one in case.technologies:
        ways = other_ways(one.exchange_policy, level, settings)
        for way in dict.fromkeys(ways.values()):
            services = ", ".join(name.replace("_", " ") for name, other in ways.items() if other == way)
            notes.append(f"{one.label}: by {way}, because {one.exchange_policy} cannot deliver it: {services}.")
    if settings.association == "kept_open":
        notes.append("The association is kept open: tables count every service as the day's first, which opens it.")
    return notes
