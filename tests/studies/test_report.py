import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from amiplan.studies import report_tables
from amiplan.studies.report import render_report, safe_json, summary, write_report
from amiplan.studies.states import meter_states
from amiplan.studies.traffic_tables import tier_lines
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def html(study):
    return render_report(study)


def _number(text):
    return int(text.replace("\u202f", ""))


class Tags(HTMLParser):
    """Checks that every element that is opened is closed, in order, and collects what would need a network."""

    VOID = ("meta", "input", "br", "link", "img", "hr")

    def __init__(self):
        super().__init__()
        self.open, self.faults, self.ids = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        named = dict(attrs)
        self.ids.extend([named["id"]] if "id" in named else [])
        address = named.get("src") or (named.get("href") if tag == "link" else None)
        if address:
            self.faults.append(address)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}>")


def test_the_report_is_whole_and_needs_no_network(html):
    tags = Tags()
    tags.feed(html)
    assert tags.faults == []
    assert tags.open == []
    assert len(tags.ids) == len(set(tags.ids))


def test_plotly_stands_in_the_file_once(html):
    assert html.count("plotly.js v") == 1
    assert len(html) < 6_500_000


def test_the_same_study_gives_the_same_bytes(make_study, tmp_path):
    for name in ("a", "b"):
        write_report(make_study(30), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@settings(max_examples=6, deadline=None)
@given(n_meters=st.integers(1, 60), n_listed=st.integers(0, 9), seed=st.integers(0, 1000))
def test_served_and_reasons_add_up_in_every_table(make_study, n_meters, n_listed, seed):
    study = make_study(n_meters, n_listed=n_listed, seed=seed)
    n = n_meters + n_listed
    for s in report_tables.standings(study):
        assert s.n_served + sum(k for _, k in s.reasons) == s.n == n
        assert sum(meters for _, _, meters, _ in s.segments) == n
        assert sum(percent for *_, percent in s.segments) == pytest.approx(100.0)
    matrices = report_tables.reason_matrices(study)
    assert len(matrices) == 3
    for table in matrices:
        for column in range(2, len(table.head)):
            assert sum(_number(row[column]) for row in table.rows) == _number(table.foot[column]) == n
    best = report_tables.best_table(study, "typical")
    assert sum(_number(row[1]) for row in best.rows) == _number(best.foot[1]) == n


def test_the_summary_answers_in_three_sentences(study):
    standings = report_tables.standings(study)
    who, cheapest, why = summary(study, standings)
    first = max(standings, key=lambda s: s.n_served)
    assert who.startswith(f"Of 324 meters in, by the deadline and with the backhaul included, {first.label} serves")
    price = study.tco.set_index("technology").eac_per_meter
    assert f"{study.label(price.idxmin())} is the cheapest at {price.min():.2f} EUR per meter and year" in cheapest
    assert all(f"of {s.n} meters)" in why for s in standings)


def test_what_the_numbers_rest_on_is_said_with_shares(study):
    tiles = {tile.what: tile for tile in report_tables.grounds(study)}
    assert tiles["Transformers"].percent == "62.5 %"
    assert tiles["Transformers"].words == "5 of 8 are inferred"
    assert tiles["Transformers"].grade == 2
    assert tiles["Operator cells"].words == "1 of 1 are assumed, not known"
    assert tiles["Outside the model"].percent == "7.0 %"
    assert tiles["Meters"].grade == 0


def test_every_meter_not_served_has_one_remedy(study):
    table = report_tables.remedy_table(study)
    for column, standing in enumerate(report_tables.standings(study), start=2):
        total = sum(_number(row[column]) for row in table.rows)
        assert total == _number(table.foot[column]) == standing.n - standing.n_served
    assert {row[1] for row in table.rows} == {"repeater", "manual_read"}


def test_a_meter_has_the_remedy_of_its_last_service_that_is_not_served(study):
    """Meters that the audit listed twice under one id stand once each; who is served in the last service counts too."""
    result = study.results[0]
    both = study.meters[(study.meters.technology == result.technology) & ~study.meters.served]
    first, last = result.deliveries.services
    told = study.meters.assign(remedy=study.meters.remedy.where(study.meters.service != last, "filter"))
    rows = report_tables.remedied(replace(study, meters=told), result)
    states = meter_states(study, result)
    assert sorted(rows.meter_id) == sorted(states[~states.served].meter_id)
    lost_last = set(both[both.service == last].meter_id)
    assert (rows[rows.meter_id.isin(lost_last)].remedy == "filter").all()
    assert set(rows[~rows.meter_id.isin(lost_last)].service) <= {first}


def test_the_tiers_are_told_with_the_cell_they_rest_on(study):
    table = tier_lines(study)
    assert dict(zip(table.head, table.rows[0], strict=True)) == {
        "Technology": "G3-PLC (CENELEC A)", "Cell": "T0", "Meters": "40", "Direct": "62.5 %", "Reads": "register",
        "Exchanges": "40", "Read, fast": "98.1 %", "Read, packet": "97.5 %", "Difference": "-0.6 %",
        "Half of its 95 % interval": "4.7 %", "Time, fast": "40.2 s", "Time, packet": "41.0 s",
        "Frames sent": "4\u202f310", "Lost": "127", "Repeated": "118", "Refused": "1",
    }  # fmt: skip
    nobody = tier_lines(replace(study, tiers=study.tiers.assign(latency_fast_s=float("inf"))))
    assert nobody.rows[0][nobody.head.index("Time, fast")] == "–"
    assert tier_lines(replace(study, tiers=study.tiers.iloc[:0])) is None


def test_a_remedy_too_few_is_refused(study):
    lost = study.meters.assign(remedy=study.meters.remedy.where(study.meters.served | (study.meters.hops > 0)))
    with pytest.raises(ValueError, match="remedies: served meters"):
        report_tables.remedy_table(replace(study, meters=lost))


def test_the_hybrid_question_is_answered_by_a_table(study):
    table = report_tables.best_table(study, "typical")
    for row, standing in zip(table.rows, report_tables.standings(study), strict=False):
        assert row[0] == standing.label
        assert _number(row[3]) == standing.n_served
        assert _number(row[4]) <= _number(row[1]) <= _number(row[3])


def test_the_interval_is_that_of_the_replications(study):
    result = study.results[0]
    low, high = report_tables.served_interval(result, 324)
    share = result.deliveries.served.all(axis=0).sum()
    every = sorted([*result.deliveries.n_served_resampled[:, -1], share])
    assert every[0] / 324 <= low <= share / 324 <= high <= every[-1] / 324


def test_cost_by_category_sums_to_the_tco(study):
    table = report_tables.category_table(study)
    assert [_number(cell) for cell in table.foot[2:]] == [round(t) for t in study.tco.tco]


def test_a_column_that_does_not_add_up_is_refused(study):
    with pytest.raises(ValueError, match="322 meters are in"):
        report_tables.reason_matrices(replace(study, area=replace(study.area, n_meters_in=322)))
    odd = study.meters.assign(reason=study.meters.reason.where(study.meters.served, "bad_luck"))
    with pytest.raises(ValueError, match="but 324 meters are in"):
        report_tables.reason_matrices(replace(study, meters=odd))


def test_an_input_whose_rows_vanish_is_refused(study):
    lost = replace(study.area.sources[0], rows_used=1)
    with pytest.raises(ValueError, match=r"meters\.csv"):
        report_tables.source_table(replace(study, area=replace(study.area, sources=(lost,))))


def test_the_report_shows_audit_provenance_and_assumptions(html, study):
    for word in (
        "324 meters in = 320 used + 4 listed",
        "zero zero",
        study.case_digest,
        "12</dd>" if study.seed == 12 else f"<dt>Seed</dt><dd>{study.seed}</dd>",
        "© OpenStreetMap contributors",
        "62 % of the transformers are inferred",
        'data-origin="user"',
        "Indoor wiring behind the meter is not modelled.",
        "7.0 %",
    ):
        assert word in html
    assert not re.search(r"\b(NaN|None|nan|inf)\b", re.sub(r"<script.*?</script>", "", html, flags=re.S))


def test_every_map_and_its_counts_stand_in_the_report(html, study):
    figures = re.findall(
        r'data-map="([^"]+)".*?<script type="application/json" class="figure">(.*?)</script>', html, re.S
    )
    assert [name for name, _ in figures] == ["best", "g3_plc", "wisun_fan", "lorawan", "nb_iot"]
    for _, text in figures:
        told = [t["meta"] for t in json.loads(text)["data"] if isinstance(t.get("meta"), dict)]
        assert sum(meta["n"] for meta in told) == study.area.n_meters_in


def test_what_the_user_wrote_cannot_become_markup(make_study):
    study = make_study(8, technologies=("g3_plc",))
    evil = "</script><b id='evil'>"
    html = render_report(replace(study, title=evil, warnings=(evil,), technology_labels={"g3_plc": evil}))
    assert evil not in html
    assert "&lt;/script&gt;" in html


@pytest.mark.parametrize(
    "options",
    [
        {"buildings": False, "roads": False, "cables": False, "n_listed": 0},
        {"technologies": ("lorawan",), "dead": ("lorawan",)},
        {"services": ("register_read",), "n_meters": 1},
    ],
)
def test_little_data_still_makes_a_report(make_study, options):
    study = make_study(**{"n_meters": 12, **options})
    empty = replace(study, sessions=pd.DataFrame(), tiers=pd.DataFrame(), warnings=(), limits=())
    assert "Provenance" in render_report(empty)


def test_several_scenarios_stand_side_by_side(make_study):
    study = make_study(20, technologies=("g3_plc",))
    worse = replace(study.results[0], scenario="worst")

    def both(table):
        return pd.concat([table, table.assign(scenario="worst")], ignore_index=True)

    twice = replace(
        study, results=(study.results[0], worse), meters=both(study.meters), kpis=both(study.kpis), tco=both(study.tco),
        cost=both(study.cost),
    )  # fmt: skip
    html = render_report(twice)
    maps = ["best-typical", "best-worst", "typical-g3_plc", "worst-g3_plc"]
    assert re.findall(r'data-map="([^"]+)"', html) == maps


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.953, "1", "95.3 %"),
        (1.0, "ratio", "100.0 %"),
        (3.0, "1", "3"),
        (10.0, "1", "10"),
        (61.5, "s", "61.5 s"),
        (float("inf"), "s", "never"),
        (-3.2, "dB", "−3.2 dB"),
        (1506, "meters", "1\u202f506 meters"),
        (123456.7, "EUR", "123\u202f457 EUR"),
        (float("nan"), "s", "–"),
    ],
)
def test_numbers_are_written_with_units(value, unit, text):
    assert report_tables.with_unit(value, unit) == text


def test_json_inside_the_page_is_safe():
    assert "<" not in safe_json({"a": "</script>"})
    with pytest.raises(ValueError, match="Out of range"):
        safe_json({"a": float("nan")})


def test_the_kpi_table_has_a_column_per_technology_and_the_denominator(study):
    table = report_tables.kpi_table(study)
    assert table.head == ("Service", "KPI", *(study.label(r.technology) for r in study.results), "n")
    assert len(table.rows) == 4
    assert {row[-1] for row in table.rows} == {"324"}
    assert table.rows[1][2] == "61.5 s (60 to 66)"


def test_the_bytes_of_a_read_are_added_up_over_its_legs(study):
    rows = report_tables.session_totals(study).rows
    assert rows[0] == ("daily profile", "pull", "438", "49", "487")
