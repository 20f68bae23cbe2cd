from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from amiplan.channels.parameters import parameter
from amiplan.planner.severity_settings import SeveritySettings
from amiplan.studies.settings import UserError, described, fill, touched_keys


@dataclass(frozen=True)
class Mast:
    height_m: float = parameter(10.0, "m", "antenna height", "survey", minimum=1.0, maximum=60.0)


@dataclass(frozen=True)
class Radio:
    power_dbm: float = parameter(14.0, "dBm", "power", "data sheet", maximum=16.15)
    channels: int = parameter(8, "1", "channels", "data sheet", minimum=1)
    names: tuple[str, ...] = parameter((), "-", "names", "user")
    mast: Mast = field(default_factory=Mast)
    optional: str | None = None


def test_values_are_filled_and_the_rest_keeps_its_default() -> None:
    radio = fill(Radio, {"power_dbm": 10, "names": ["a", "b"], "mast": {"height_m": 20.0}}, "c.toml [radio]")
    assert radio == Radio(power_dbm=10.0, names=("a", "b"), mast=Mast(20.0))


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"power_dbn": 1}, r"c\.toml \[radio\] power_dbn: unknown key; did you mean 'power_dbm'\?"),
        ({"power_dbm": 30}, r"power_dbm = 30.* \[dBm\]: allowed is at most 16\.15 \(data sheet\)"),
        ({"power_dbm": "14"}, r"a number is needed \[dBm\]"),
        ({"power_dbm": True}, "a number is needed"),
        ({"power_dbm": float("nan")}, "allowed is"),
        ({"channels": 2.5}, "channels = 2.5"),
        ({"channels": 0}, "at least 1"),
        ({"names": "a"}, "names = 'a'"),
        ({"mast": {"height_m": 100.0}}, r"\[radio\.mast\] height_m = 100.* from 1.0 to 60.0"),
        ({"mast": {"hight_m": 10.0}}, r"\[radio\.mast\] hight_m: unknown key; did you mean 'height_m'"),
        ({"mast": 3}, "mast = 3"),
    ],
)
def test_bad_values_are_refused_in_one_line(table: dict[str, object], text: str) -> None:
    with pytest.raises(UserError, match=text) as caught:
        fill(Radio, table, "c.toml [radio]")
    assert "\n" not in str(caught.value)


def test_every_parameter_is_described_with_its_origin() -> None:
    rows = described(Radio(power_dbm=10.0), "radio", touched_keys({"radio": {"power_dbm": 10.0}}))
    by_name = {f"{row['group']}.{row['name']}": row for row in rows}
    assert by_name["radio.power_dbm"]["origin"] == "user"
    assert by_name["radio.power_dbm"]["unit"] == "dBm"
    assert by_name["radio.mast.height_m"]["origin"] == "default"
    assert by_name["radio.mast.height_m"]["source"] == "survey"


def test_what_is_switched_is_described_as_yes_or_no() -> None:
    values = {row["name"]: row["value"] for row in described(SeveritySettings(), "severities", set())}
    assert values["compare"] == "no"
