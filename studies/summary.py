"""The few lines a study ends with on the screen."""

from __future__ import annotations

from .study import Study


def summary_text(study: Study) -> str:
    """Service level, and per technology served of all, the main reason, and cost."""
    n = study.area.n_meters_in
    lines = [f"{study.title}: {n} meters. {study.service_text}.", ""]
    lines.append(f"{'technology':<12}{'served':>8}{'of all':>9}  {'main reason not served':<26}{'EUR/meter/year':>15}")
    for row in study.tco.to_dict("records"):
        lines.append(
            f"{row['technology']:<12}{row['n_served']:>8}{row['served_ratio']:>9.1%}  "
            f"{main_reason(study, row['technology']):<26}{row['eac_per_meter']:>15.2f}"
        )
    return "\n".join(lines)


def main_reason(study: Study, technology: str) -> str:
    """The reason that most meters of a technology are not served for, over all services; empty where all are."""
    rows = study.meters[(study.meters["technology"] == technology) & (study.meters["reason"] != "")]
    if rows.empty:
        return ""
    counts = rows.drop_duplicates(["meter_id", "reason"])["reason"].value_counts()
    return f"{counts.index[0]} ({counts.iloc[0]})"
