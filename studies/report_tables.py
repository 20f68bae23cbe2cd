"""The tables of the report: study in, plain rows out, every count checked against the meters in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..planner.tables import StudyResult
from .states import cheapest_serving, count, meter_states, share, slug
from .study import Study
from .styles import BY_WORD, NOBODY_COLOR, SERVED, TECHNOLOGY_COLORS
from .words import flag_words

Array = NDArray[Any]
_EMPTY = "–"
REMEDY_WORDS = {
    "repeater": "Power-line repeater",
    "filter": "Filter at the source of noise",
    "other_phase": "Another phase",
    "other_band": "Another band",
    "relay": "Mesh relay halfway",
    "external_antenna": "Antenna outside the enclosure",
    "further_site": "A further site of the same kind",
    "cellular_module": "Cellular module instead",
    "better_backhaul": "Better backhaul of the site",
    "manual_read": "Read by hand",
    "complete_record": "Complete the input record",
}
"""The remedies of ``planner.remedies`` in plain words."""
_KPI_WORDS = {
    "meters_served": "Meters served",
    "served_ratio": "Share of meters served",
    "p_read_deadline_mean": "Reads that arrive by the deadline, mean",
    "latency_p50": "Time of a read, P50 of all reads of a meter; median over served meters",
    "latency_p95": "Time of a read, P95 of all reads of a meter; median over served meters",
    "expected_transmissions": "Frames sent per read, mean",
    "sites_built": "Sites built",
    "sites_possible": "Sites possible",
    "meters_per_site": "Meters in per site built",
    "hops_mean": "Hops to the site, mean over meters and replications",
    "hops_max": "Hops to the site, most of any meter in any replication",
    "links_outside_fitted_range_ratio": "Links outside their model's fitted range",
}


@dataclass(frozen=True)
class Table:
    """Headings, rows of text, and which columns are numbers (set flush right)."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]
    foot: tuple[str, ...] = ()


@dataclass(frozen=True)
class Standing:
    """One technology in one scenario, as the summary and the first table tell it."""

    slug: str
    label: str
    scenario: str
    n: int
    n_served: int
    served_low: float
    served_high: float
    read_ratio: float
    reasons: tuple[tuple[str, int], ...]
    tco: float
    eac_per_meter: float
    currency: str
    evidence: tuple[tuple[str, float], ...]
    n_sites: int
    out_of_range_ratio: float
    plan_note: str

    @property
    def segments(self) -> list[tuple[str, str, int, float]]:
        """(words, colour, meters, percent of all meters in) of the bar: served first, then the reasons."""
        parts = [(SERVED.text, SERVED.color, self.n_served)]
        parts += [(BY_WORD[word].text, BY_WORD[word].color, meters) for word, meters in self.reasons]
        return [(text, color, meters, 100.0 * meters / self.n) for text, color, meters in parts if meters]


def standings(study: Study) -> list[Standing]:
    """How each technology stands, in the order of the study.

    Raises ValueError where served meters and reasons do not add up to the meters in.
    """
    return [_standing(study, result) for result in study.results]


def _standing(study: Study, result: StudyResult) -> Standing:
    states = meter_states(study, result)
    n, n_served = len(states), int(states.served.sum())
    reasons = states[~states.served].reason.value_counts()
    ordered = sorted(((str(word), int(k)) for word, k in reasons.items()), key=lambda item: (-item[1], item[0]))
    _conserved(n_served + sum(k for _, k in ordered), n, result.technology)
    low, high = served_interval(result, n)
    tco = study.tco[(study.tco.technology == result.technology) & (study.tco.scenario == result.scenario)].iloc[0]
    evidence = tuple((grade, float(tco[f"evidence_{grade}"])) for grade in ("a", "b", "c", "user"))
    return Standing(
        slug=slug(study, result), label=study.label(result.technology), scenario=result.scenario, n=n,
        n_served=n_served, served_low=low, served_high=high, read_ratio=float(states.p_read_deadline.sum()) / n,
        reasons=tuple(ordered), tco=float(tco.tco), eac_per_meter=float(tco.eac_per_meter),
        currency=str(tco.currency), evidence=evidence, n_sites=int(np.sum(result.plan.built)),
        out_of_range_ratio=float(result.deliveries.out_of_range_ratio), plan_note=result.plan.note,
    )  # fmt: skip


def served_interval(result: StudyResult, n_meters_in: int) -> tuple[float, float]:
    """P10 and P90 over resampled replications of the share of meters served in all services; of all meters in.

    The interval is widened to hold the share itself.
    """
    share = float(result.deliveries.served.all(axis=0).sum())
    low, high = np.quantile(result.deliveries.n_served_resampled[:, -1], [0.1, 0.9])
    return min(float(low), share) / n_meters_in, max(float(high), share) / n_meters_in


def _conserved(total: int, n: int, where: str) -> None:
    if total != n:
        raise ValueError(f"{where}: served meters and reasons add up to {total}, but {n} meters are in")


def reason_matrices(study: Study) -> list[Table]:
    """Reasons by technology: for all services together, then for each service; every column adds up to meters in."""
    together = [meter_states(study, r) for r in study.results]
    tables = [_matrix(study, "All services together", together)]
    services = sorted(set(study.meters.service))
    for service in services if len(services) > 1 else []:
        rows = study.meters[study.meters.service == service]
        alone = [rows[(rows.technology == r.technology) & (rows.scenario == r.scenario)] for r in study.results]
        tables.append(_matrix(study, f"Service {_plain(service)}", alone))
    return tables


def _matrix(study: Study, caption: str, states: Sequence[pd.DataFrame]) -> Table:
    n = study.area.n_meters_in
    words = ["served", *BY_WORD]
    columns = []
    for result, table in zip(study.results, states, strict=True):
        fate = np.where(table.served.to_numpy(bool), "served", table.reason.to_numpy(str))
        column = [int((fate == word).sum()) for word in words]
        _conserved(sum(column), n, f"{result.technology}, {caption}")
        columns.append(column)
    rows = [
        (SERVED.text if word == "served" else BY_WORD[word].text, word, *(count(column[i]) for column in columns))
        for i, word in enumerate(words)
        if word == "served" or any(column[i] for column in columns)
    ]
    head = ("What happens", "Word in the files", *(_name(study, r) for r in study.results))
    foot = ("Meters in", "", *(count(sum(column)) for column in columns))
    return Table(caption, head, tuple(rows), (False, False, *([True] * len(columns))), foot)


def _several_scenarios(study: Study) -> bool:
    return len({r.scenario for r in study.results}) > 1


def _name(study: Study, result: StudyResult) -> str:
    return study.label(result.technology) + (f", {result.scenario}" if _several_scenarios(study) else "")


def _without(table: Table, heading: str) -> Table:
    gone = table.head.index(heading)
    rows = tuple(row[:gone] + row[gone + 1 :] for row in table.rows)
    numeric = table.numeric[:gone] + table.numeric[gone + 1 :]
    return replace(table, head=table.head[:gone] + table.head[gone + 1 :], rows=rows, numeric=numeric)


def kpi_table(study: Study) -> Table:
    """KPIs but the reasons, a row per service and figure, a column per technology; the denominator comes last."""
    keys = [(r.scenario, r.technology) for r in study.results]
    found: dict[tuple[str, str, str], dict[tuple[str, str], str]] = {}
    told = study.kpis[~study.kpis.kpi.str.startswith("not_served_")]
    for k in _rows(told):
        cell = with_unit(k.value, k.unit) + _between(k.low, k.high, k.unit)
        found.setdefault((str(k.service), str(k.kpi), count(k.n)), {})[str(k.scenario), str(k.technology)] = cell
    rows = tuple(
        (_plain(service) or "all", _KPI_WORDS.get(kpi, _plain(kpi)), *(cells.get(key, _EMPTY) for key in keys), n)
        for (service, kpi, n), cells in sorted(found.items(), key=lambda item: _kpi_rank(item[0]))
    )
    head = ("Service", "KPI", *(_name(study, r) for r in study.results), "n")
    caption = (
        "Key figures; every ratio is of n; in brackets P10 to P90: of meters served over resampled replications, else "
        "over replications; a time is of all reads that arrive, turns and draws of all replications taken together"
    )
    return Table(caption, head, rows, (False, False, *([True] * (len(keys) + 1))))


def _kpi_rank(key: tuple[str, str, str]) -> tuple[bool, str]:
    """Services first, then what holds for all; else as they come."""
    service, _, _ = key
    return service == "", service


def best_table(study: Study, scenario: str) -> Table:
    """How many meters have which technology as the cheapest that serves them; the column Meters adds up to meters in.

    Beside it, how many each technology serves at all, and how many no other does: what a hybrid would need it for.
    """
    best = cheapest_serving(study, scenario)
    results = [r for r in study.results if r.scenario == scenario]
    names = [r.technology for r in results]
    served = np.stack([meter_states(study, r).served.to_numpy(bool) for r in results])
    alone = [int((one & (served.sum(axis=0) == 1)).sum()) for one in served]
    sizes = [int((best.technology == name).sum()) for name in [*names, ""]]
    _conserved(sum(sizes), study.area.n_meters_in, "best technology")
    labels = [*(study.label(name) for name in names), "No technology serves it"]
    at_all = [*(count(one.sum()) for one in served), _EMPTY]
    only = [*(count(k) for k in alone), _EMPTY]
    rows = tuple(
        (label, count(k), share(k, len(best)), *more)
        for label, k, *more in zip(labels, sizes, at_all, only, strict=True)
    )
    head = ("Cheapest that serves", "Meters", "Share", "Served by it in all", "Served by no other")
    foot = ("Meters in", count(len(best)), share(len(best), len(best)), "", "")
    return Table("Meters by the cheapest technology that serves them", head, rows, (False, *([True] * 4)), foot)


def tco_table(study: Study) -> Table:
    """Total cost of ownership per technology, its four parts and the quality of its evidence."""
    parts = ("capex", "opex_present_value", "renewals_present_value", "residual_present_value", "tco")
    head = ("Technology", "Scenario", "Capex", "Opex, present value", "Renewals, p. v.", "Residual value, p. v.", "TCO",
            "Per meter and year", "Meters served", "Evidence A / B / C / own")  # fmt: skip
    rows = tuple(
        (
            study.label(str(t.technology)), str(t.scenario),
            *(money(getattr(t, part), t.currency) for part in parts), f"{t.eac_per_meter:.2f} {t.currency}",
            f"{count(t.n_served)} of {count(t.n_meters)}",
            " / ".join(f"{100 * getattr(t, f'evidence_{grade}'):.0f}" for grade in ("a", "b", "c", "user")) + " %",
        )
        for t in _rows(study.tco)
    )  # fmt: skip
    table = Table("Total cost of ownership at equal service", head, rows, (False, False, *([True] * 8)))
    return table if _several_scenarios(study) else _without(table, "Scenario")


def category_table(study: Study) -> Table:
    """Present value by cost category and technology; the last row is their sum, equal to the TCO."""
    cost = study.cost.assign(column=study.cost.scenario + "/" + study.cost.technology)
    wide = cost.pivot_table(
        index=["category", "category_label"], columns="column", values="present_value", aggfunc="sum", fill_value=0.0
    ).sort_index()
    keys = [f"{r.scenario}/{r.technology}" for r in study.results]
    wide = wide.reindex(columns=keys, fill_value=0.0)
    rows = tuple(
        (str(code), str(label), *(grouped(value) for value in values))
        for (code, label), values in zip(wide.index, wide.to_numpy(), strict=True)
    )
    currency = str(study.tco.currency.iloc[0]) if len(study.tco) else ""
    head = ("No.", "Category", *(_name(study, r) for r in study.results))
    foot = ("", "Sum", *(grouped(value) for value in wide.to_numpy().sum(axis=0)))
    caption = f"Present value by category [{currency}]"
    return Table(caption, head, rows, (False, False, *([True] * len(keys))), foot)


def source_table(study: Study) -> Table:
    """Inputs as read: rows in = used + listed + clipped, with digests.

    Raises ValueError naming the layer whose rows do not add up.
    """
    rows = []
    for s in study.area.sources:
        if s.rows_in != s.rows_used + s.rows_listed + s.rows_clipped:
            raise ValueError(f"input {s.role} ({s.path}): {s.rows_in} rows in are not used + listed + clipped")
        numbers = (count(k) for k in (s.rows_in, s.rows_used, s.rows_listed, s.rows_clipped))
        rows.append((s.role, f"{s.path} {s.layer}".strip(), s.crs, *numbers, s.digest[:12], s.licence or _EMPTY))
    head = ("Input", "File and layer", "CRS", "Rows in", "Used", "Listed", "Outside, clipped", "Digest", "Licence")
    return Table("Inputs", head, tuple(rows), (False, False, False, True, True, True, True, False, False))


def listed_table(study: Study) -> Table:
    """Rows that could not be used, by layer and audit code, with examples of ids."""
    return _by_code(study.area.listed, "Rows listed and not used")


def odd_table(study: Study) -> Table:
    """What is odd but used, by layer and audit code, with examples of ids."""
    return _by_code(study.area.qa, "Odd, but used")


def _by_code(found: pd.DataFrame, caption: str) -> Table:
    rows = []
    for (layer, code), group in found.groupby(["layer", "code"], sort=True):
        ids = ", ".join(sorted(group.id.astype(str))[:5]) + (" …" if len(group) > 5 else "")
        rows.append((str(layer), _plain(code), count(len(group)), str(group.detail.iloc[0]), ids))
    head = ("Layer", "Audit code", "Rows", "Detail of the first", "Ids")
    return Table(caption, head, tuple(rows), (False, False, True, False, False))


def inferred_table(study: Study) -> Table:
    """What share of meters, transformers and cables is inferred, not given."""
    area = study.area
    flagged = [
        ("Meters with at least one inferred property", _flagged(area.meters), len(area.meters)),
        ("Transformers", _flagged(area.transformers, "inferred"), len(area.transformers)),
        ("Transformers given without a rating", _flagged(area.transformers, "rated_kva"), len(area.transformers)),
        ("Low-voltage cable sections", int(np.sum(area.feeders.edge_inferred)), len(area.feeders.edge_inferred)),
    ]
    per_flag = area.meters.data_flag[area.meters.data_flag != ""].str.split("+").explode().value_counts()
    ordered = sorted(per_flag.items(), key=lambda item: (-int(item[1]), str(item[0])))
    flagged += [(f"Meters: {flag_words(str(flag))}", int(k), len(area.meters)) for flag, k in ordered]
    sites, cells = study.candidates.sites, study.candidates.cells
    flagged += [("Candidate sites with an inferred property", _flagged(sites), len(sites))]
    flagged += [("Operator cells", _flagged(cells), len(cells))]
    rows = tuple((label, count(part), count(whole), share(part, whole)) for label, part, whole in flagged)
    return Table("Inferred, not given", ("Record", "Inferred", "Of", "Share"), rows, (False, True, True, True))


@dataclass(frozen=True)
class Ground:
    """One tile of what the numbers rest on: what, how much of it is not known, in words, and how grave (0 to 2)."""

    what: str
    percent: str
    words: str
    grade: int


def grounds(study: Study) -> list[Ground]:
    """What share of the inputs is inferred or assumed, of the values a choice, of the links outside a model's range.

    Only what the study has; grade 0 for nothing, 1 below half, 2 from half on.
    """
    sites, cells = study.candidates.sites, study.candidates.cells
    area, marks = study.area, study.assumptions.confidence
    other = f"; {count(_flagged(area.meters))} have some inferred property, such as the kind"
    parts = [
        ("Meters", "have an inferred place" + other, _flagged(area.meters, "place"), len(area.meters)),
        ("Transformers", "are inferred", _flagged(area.transformers, "inferred"), len(area.transformers)),
        ("Cable sections", "are inferred", int(np.sum(area.feeders.edge_inferred)), len(area.feeders.edge_inferred)),
        ("Candidate sites", "have an inferred property, such as the height", _flagged(sites), len(sites)),
        ("Operator cells", "are assumed, not known", _flagged(cells), len(cells)),
        ("Values marked C", "of the assumptions are a choice of ours", int((marks == "C").sum()), len(marks)),
    ]
    tiles = [
        Ground(what, share(k, n), f"{count(k)} of {count(n)} {words}", 0 if not k else 1 if 2 * k < n else 2)
        for what, words, k, n in parts
        if n
    ]
    for s in standings(study):
        if s.out_of_range_ratio >= 0.005:
            words = f"of the links in use with {s.label} lie outside the range that their model was fitted for"
            grade = 1 if s.out_of_range_ratio < 0.5 else 2
            tiles.append(Ground("Outside the model", f"{100.0 * s.out_of_range_ratio:.1f} %", words, grade))
    return tiles


def _flagged(records: pd.DataFrame, flag: str = "") -> int:
    """Records that carry ``flag``, or any flag where none is named."""
    if not flag:
        return int((records.data_flag != "").sum())
    return int(records.data_flag.str.split("+").map(lambda flags: flag in flags).sum())


def remedied(study: Study, result: StudyResult) -> pd.DataFrame:
    """One row of ``Study.meters`` for each meter that is not served: that of its last such service, as the cost counts.

    Its ``remedy`` is the one that is paid for; rows with one id that the audit listed stand once each.
    """
    rows = study.meters[(study.meters.technology == result.technology) & (study.meters.scenario == result.scenario)]
    order = {service: i for i, service in enumerate(result.deliveries.services)}
    twin = rows.groupby(["service", "meter_id"]).cumcount()
    rows = rows.assign(rank=rows.service.map(order), twin=twin)
    rows = rows[~rows.served.astype(bool)].sort_values("rank", kind="stable")
    return rows.drop_duplicates(["meter_id", "twin"], keep="last")


def remedy_table(study: Study) -> Table:
    """How meters that are not served are made good in the cost, by technology; adds up to meters not served."""
    columns, lost = [], []
    for result in study.results:
        columns.append(remedied(study, result).remedy.value_counts())
        lost.append(int((~meter_states(study, result).served).sum()))
        _conserved(int(columns[-1].sum()), lost[-1], f"{result.technology}, remedies")
    words = [word for word in REMEDY_WORDS if any(column.get(word, 0) for column in columns)]
    words += sorted({str(word) for column in columns for word in column.index} - set(REMEDY_WORDS))
    rows_out = tuple(
        (REMEDY_WORDS.get(word, _plain(word)), word, *(count(column.get(word, 0)) for column in columns))
        for word in words
    )
    head = ("First remedy", "Word in the files", *(_name(study, r) for r in study.results))
    foot = ("Meters not served", "", *(count(k) for k in lost))
    caption = "How meters that are not served are made good, and paid for"
    return Table(caption, head, rows_out, (False, False, *([True] * len(columns))), foot)


def assumption_rows(study: Study) -> list[dict[str, str]]:
    """Assumptions as text, what the user set first."""
    rank = {"user": 0, "inferred": 1, "default": 2}
    order = study.assumptions.origin.map(rank).fillna(3)
    rows = study.assumptions.assign(rank=order).sort_values(["rank", "group", "name"], kind="stable")
    return [
        {**{str(key): str(value) for key, value in row.items()}, "value": _value(row["value"])}
        for row in rows.to_dict("records")
    ]


def generic_table(table: pd.DataFrame, caption: str, study: Study) -> Table:
    """Any DataFrame as it is, with plain words for headings and technologies."""
    numeric = tuple(bool(pd.api.types.is_numeric_dtype(table[name])) for name in table.columns)
    rows = tuple(
        tuple(
            study.label(str(value)) if name == "technology" else _value(value)
            for name, value in zip(table.columns, row, strict=True)
        )
        for row in table.itertuples(index=False, name=None)
    )
    return Table(caption, tuple(_plain(name).capitalize() for name in table.columns), rows, numeric)


def session_totals(study: Study) -> Table:
    """Bytes of one whole read per service and policy, up and down."""
    legs = study.sessions
    rows = []
    for (service, policy), group in legs.groupby(["service", "policy"], sort=True):
        up, down = (int(group.bytes[group.direction == way].sum()) for way in ("up", "down"))
        rows.append((_plain(service), str(policy), count(up), count(down), count(up + down)))
    head = ("Service", "Policy", "Bytes up", "Bytes down", "Together")
    return Table("Bytes of one read of one meter, per service", head, tuple(rows), (False, False, True, True, True))


def color_of(study: Study, result: StudyResult) -> str:
    """The technology's colour on the best-technology map and in the cost chart."""
    names = [r.technology for r in study.results if r.scenario == result.scenario]
    rank = names.index(result.technology)
    return TECHNOLOGY_COLORS[rank % len(TECHNOLOGY_COLORS)] if result.technology else NOBODY_COLOR


def grouped(value: float) -> str:
    """Whole units with narrow spaces between thousands."""
    return f"{round(float(value)) + 0:,}".replace(",", "\u202f").replace("-", "\u2212")


def money(value: float, currency: str) -> str:
    """Whole currency units."""
    return f"{grouped(value)} {currency}"


def with_unit(value: Any, unit: Any) -> str:
    """A KPI with its unit, three digits or whole; ratios (unit 1 or ratio, at most 1) are shown in percent."""
    number, word = float(value), str(unit)
    if np.isnan(number):
        return _EMPTY
    if np.isinf(number):
        return "never" if word == "s" else "∞"
    if word in ("1", "ratio") and abs(number) <= 1.0:
        return f"{100.0 * number:.1f} %"
    text = grouped(number) if abs(number) >= 1000 else f"{number:.3g}".replace("-", "\u2212")
    return text if word == "1" else f"{text} {word}"


def _between(low: Any, high: Any, unit: Any) -> str:
    texts = [with_unit(value, unit) for value in (low, high)]
    return "" if _EMPTY in texts or low == high else " ({} to {})".format(*(text.rsplit(" ", 1)[0] for text in texts))


def _value(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return str(value) if abs(int(value)) < 10_000 else grouped(int(value))
    if isinstance(value, (float, np.floating)):
        return _EMPTY if np.isnan(value) else _number(float(value))
    return str(value)


def _number(value: float) -> str:
    if np.isinf(value):
        return "∞" if value > 0 else "\u2212∞"
    text = grouped(value) if abs(value) >= 10_000 else f"{value:.4g}"
    return text.replace("-", "\u2212") if "e" not in text else text


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    return iter(table.itertuples(index=False))


def _plain(word: Any) -> str:
    return str(word).replace("_", " ")
