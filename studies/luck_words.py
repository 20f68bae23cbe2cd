"""How much luck there is in a count of served meters, said in a sentence where it matters."""

from __future__ import annotations

from ..planner.luck import Luck
from ..planner.tables import StudyResult
from .states import count
from .study import Study
from .words import percent

TOLD_FROM = 0.1
"""Told where luck alone would leave as many meters unserved as this share of those that are not served."""


def luck_text(study: Study) -> str:
    """A sentence per technology whose count of served meters rests on luck, and what decides; empty where none does."""
    told = [(result, study.luck[result.technology]) for result in study.results if result.technology in study.luck]
    sentences = [_sentence(study, result, luck) for result, luck in told if _matters(luck)]
    return " ".join([*sentences, "More replications ([simulation] replications) decide."]) if sentences else ""


def _matters(luck: Luck) -> bool:
    return round(luck.n_expected) >= 1 and luck.n_expected > TOLD_FROM * luck.n_not_served and luck.n_unsure > 0


def _sentence(study: Study, result: StudyResult, luck: Luck) -> str:
    return (
        f"{study.label(result.technology)}: with {count(luck.n_replications)} replications "
        f"{count(luck.n_unsure)} of the {count(luck.n_not_served)} not served cannot be told from served; if the "
        f"{count(luck.n_meters)} meters that are served or may be were all read {percent(luck.mean)} of the time, "
        f"about {count(round(luck.n_expected))} would fall below {100 * study.read_probability:g} % by luck."
    )
