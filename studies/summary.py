"""The few lines a study ends with on the screen."""

from __future__ import annotations

import pandas as pd

from .states import meter_states
from .study import Study


def summary_text(study: Study) -> str:
    """Service level and power line, and per technology served of all, the main reason, and cost."""
    n = study.area.n_meters_in
    text = study.service_text.rstrip(".")
    lines = [f"{study.title}: {n} meters. {text[:1].upper()}{text[1:]}."]
    lines += [f"Power line: {study.line_text}.", ""] if study.line_text else [""]
    currency = str(study.tco["currency"].iloc[0]) if len(study.tco) else ""
    price = f"{currency}/meter/year"
    lines.append(f"{'technology':<12}{'served':>8}{'of all':>9}  {'main reason not served':<26}{price:>15}")
    prices = study.tco.set_index(["scenario", "technology"])["eac_per_meter"]
    for result in study.results:
        states = meter_states(study, result)
        n_served = int(states["served"].sum())
        lines.append(
            f"{result.technology:<12}{n_served:>8}{n_served / n:>9.1%}  {main_reason(states):<26}"
            f"{prices[result.scenario, result.technology]:>15.2f}"
        )
    return "\n".join(lines)


def main_reason(states: pd.DataFrame) -> str:
    """The reason that most meters are not served for, each by its worst service, as the report counts.

    Empty where all are served; of equal counts the first in the alphabet.
    """
    counts = states.loc[~states["served"], "reason"].value_counts()
    if counts.empty:
        return ""
    first = min(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return f"{first[0]} ({first[1]})"
