"""Strangers read our meters: gurux-dlms and dlms-cosem, in an environment of their own, against `amiplan serve`.

What they print is compared with the state of that meter at that time, computed here from seed, key and moment.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from amiplan.meters.device.history import History
from amiplan.meters.device.rights import Role, visible
from amiplan.meters.dlms.obis import Obis
from amiplan.meters.rack import Clock, Rack
from amiplan.meters.settings import ServiceSettings
from served import KINDS, SEED, fleet_folder, served

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
METER, ROW = "M00001", 1
KEY = (ROW * 0x9E3779B97F4A7C15 + 77) % 2**64
AT_S = int(datetime(2026, 1, 2, 9, 7, 30, tzinfo=UTC).timestamp())
AT = "2026-01-02T09:07:30"
ENERGIES = ("1.0.1.8.0.255", "1.0.2.8.0.255", "1.0.3.8.0.255", "1.0.4.8.0.255")
DENIED = 3
OBJECTS = (
    Rack(
        np.array([KEY], np.uint64),
        np.array([KINDS[ROW]], object),
        ServiceSettings(association="fresh"),
        seed=SEED,
        clock=Clock(AT_S, 0.0),
    )
    .server(0)
    .objects
)
"""The state of the meter at `AT`, seen from within."""
LINES = [(framing, security) for framing in ("wrapper", "hdlc") for security in ("none", "hls5")]


def oracle() -> Path:
    """The other interpreter; a clear word where there is none, and a failure where there should be one."""
    found = Path(os.environ.get("AMIPLAN_ORACLE_PYTHON", ROOT / ".oracle" / "bin" / "python"))
    if found.exists():
        return found
    if os.environ.get("CI") == "true":
        pytest.fail(f"{found} is missing: .ci/run makes it by `make oracle`")
    pytest.skip("no separate environment with gurux-dlms and dlms-cosem: run `make oracle`")


def stranger(script: str, folder: Path, role: str, *steps: str, counter: int = 1) -> dict[str, Any]:
    """What a client of theirs prints; its own complaint where it fails."""
    command = [str(oracle()), str(HERE / script), str(folder / "serve.json"), METER, role, *steps]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, "COUNTER": str(counter)}
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def history() -> History:
    return History.of_load(KEY, KINDS[ROW], SEED, 0, 2)


def rows_until(end_s: float) -> list[list[int]]:
    """[end of the interval, four registers] of every interval that has ended, oldest first."""
    known = history()
    chosen = known.rows(0, end_s)
    return [[int(known.time_s[row]), *(int(one) for one in known.registers[row])] for row in chosen]


def registers_now() -> list[tuple[str, float, int]]:
    """(name, value in its unit, unit) of every register of the meter at `AT`."""
    rows = []
    for (class_id, obis), item in OBJECTS.items():
        if class_id == 3:
            scaler, unit = (one.number for one in item.attribute(3).items)
            rows.append((str_of(obis), item.attribute(2).number * 10.0**scaler, unit))
    return rows


def str_of(obis: Obis) -> str:
    return ".".join(str(one) for one in obis.octets)


@pytest.fixture(scope="module", params=LINES, ids=lambda line: "-".join(line))
def meters(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A result folder whose meters answer, their clock standing at `AT`."""
    oracle()
    framing, security = request.param
    folder = fleet_folder(tmp_path_factory.mktemp("served") / "result", 3)
    options = ("--framing", framing, "--security", security, "--at", AT, "--pace", "0")
    with served(folder, *options):
        yield folder


def test_gurux_reads_everything_and_opens_the_relay(meters: Path) -> None:
    rows = rows_until(AT_S)
    first, last = rows[10][0], rows[40][0]
    steps = ("objects", "registers", "list", "clock", "whole", "entry:5:7", f"range:{first}:{last}")
    told = stranger("gurux_client.py", meters, "reader", *steps)
    known = {(class_id, name) for class_id, name, _ in told["objects"]}
    assert known >= {(15, "0.0.40.0.0.255"), (7, "1.0.99.1.0.255"), (70, "0.0.96.3.10.255"), (8, "0.0.1.0.0.255")}
    assert told["clock"] == AT_S
    assert known == {(class_id, str_of(obis)) for class_id, obis in OBJECTS if visible(Role.READER, class_id, obis)}
    energies = history().registers_at(AT_S)
    found = {name: (value, unit) for name, value, _, unit in told["registers"]}
    assert [found[name] for name in ENERGIES] == [(int(energies[i]), (30, 30, 32, 32)[i]) for i in range(4)]
    state = {name: (pytest.approx(value), unit) for name, value, unit in registers_now()}
    assert found == state
    assert all(dict(told["list"])[name] == found[name][0] for name, _ in told["list"])
    assert told["whole"] == rows
    assert told["entry:5:7"] == rows[4:11]
    assert told[f"range:{first}:{last}"] == rows[10:41]
    again = stranger("gurux_client.py", meters, "management", "objects", "disconnect", counter=1)
    assert again["disconnect"] == [[True, 1], [False, 0]]


def test_gurux_as_reader_may_not_open_the_relay_and_the_public_sees_little(meters: Path) -> None:
    told = stranger("gurux_client.py", meters, "reader", "objects", "disconnect", counter=10_000)
    assert told["disconnect"] == {"refused": DENIED}
    public = stranger("gurux_client.py", meters, "public", "objects", "get:3:1.0.1.8.0.255:2", "get:8:0.0.1.0.0.255:2")
    names = {name for _, name, _ in public["objects"]}
    assert not names & {*ENERGIES, "1.0.99.1.0.255", "0.0.96.3.10.255"}
    assert public["get:3:1.0.1.8.0.255:2"] == {"refused": DENIED}
    assert "refused" not in str(public["get:8:0.0.1.0.0.255:2"])


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_gurux_finds_a_meter_among_many_behind_one_port(framing: str, tmp_path: Path) -> None:
    oracle()
    folder = fleet_folder(tmp_path / "result", 3)
    options = ("--one-port", "--framing", framing, "--security", "hls5", "--at", AT, "--pace", "0")
    with served(folder, *options) as entries:
        assert entries[ROW]["server_sap"] == 18
        told = stranger("gurux_client.py", folder, "reader", "get:3:1.0.1.8.0.255:2", "whole")
    assert told["get:3:1.0.1.8.0.255:2"] == int(history().registers_at(AT_S)[0])
    assert told["whole"] == rows_until(AT_S)


def test_dlms_cosem_reads_and_opens_the_relay(tmp_path: Path) -> None:
    oracle()
    rows = rows_until(AT_S)
    first, last = rows[10][0], rows[40][0]
    for security in ("none", "hls5"):
        folder = fleet_folder(tmp_path / security, 3)
        with served(folder, "--framing", "wrapper", "--security", security, "--at", AT, "--pace", "0"):
            steps = ("objects", "registers", "whole", f"range:{first}:{last}", "disconnect")
            told = stranger("dlms_cosem_client.py", folder, "reader", *steps)
            energies = history().registers_at(AT_S)
            found = {name: (value, unit) for name, value, _, unit in told["registers"]}
            assert [found[name][0] for name in ENERGIES] == [int(one) for one in energies]
            assert [found[name][1] for name in ENERGIES] == [30, 30, 32, 32]
            assert told["whole"] == rows
            assert told[f"range:{first}:{last}"] == rows[10:41]
            assert "refused" in told["disconnect"]
            again = stranger("dlms_cosem_client.py", folder, "management", "disconnect")
            assert again["disconnect"] == [1, 0]


@pytest.mark.parametrize(
    ("script", "encoding"),
    [
        ("gurux_client.py", "null_timestamps"),
        ("dlms_cosem_client.py", "null_timestamps"),
        ("gurux_client.py", "null_unchanged"),
        ("gurux_client.py", "compact_array"),
    ],
)
def test_shorter_encodings_of_the_profile_say_the_same(script: str, encoding: str, tmp_path: Path) -> None:
    """Neither client knows delta types, nor dlms-cosem null-data outside times or compact arrays."""
    oracle()
    folder = fleet_folder(tmp_path / "result", 3, encoding=encoding)
    with served(folder, "--framing", "wrapper", "--security", "none", "--at", AT, "--pace", "0"):
        told = stranger(script, folder, "reader", "whole")["whole"]
    for before, row in pairwise(told):
        row[:] = [old if new is None else new for old, new in zip(before, row, strict=True)]
    assert told == rows_until(AT_S)


@pytest.mark.parametrize("suite", ["suite_1", "suite_2"])
def test_both_read_a_register_under_the_other_suites(suite: str, tmp_path: Path) -> None:
    oracle()
    folder = fleet_folder(tmp_path / "result", 3, security=suite)
    with served(folder, "--framing", "wrapper", "--at", AT, "--pace", "0"):
        register = "get:3:1.0.1.8.0.255:2"
        gurux = stranger("gurux_client.py", folder, "reader", register)
        cosem = stranger("dlms_cosem_client.py", folder, "reader", "registers", counter=gurux["counter"] + 1)
    expected = int(history().registers_at(AT_S)[0])
    assert gurux[register] == expected
    assert {name: value for name, value, _, _ in cosem["registers"]}[ENERGIES[0]] == expected


def test_a_running_clock_captures_rows_while_a_stranger_watches(tmp_path: Path) -> None:
    """At ten minutes per second registers lie between what they were just before and just after the reading."""
    oracle()
    folder = fleet_folder(tmp_path / "result", 3)
    steps = ("objects", "clock:before", "registers", "whole", "clock:after")
    with served(folder, "--framing", "wrapper", "--security", "none", "--at", AT, "--pace", "600"):
        told = [stranger("gurux_client.py", folder, "reader", *steps)]
        time.sleep(1.5)
        told.append(stranger("gurux_client.py", folder, "reader", *steps))
    for one in told:
        before_s, after_s = one["clock:before"], one["clock:after"]
        low, high = history().registers_at(before_s), history().registers_at(after_s + 1)
        found = {name: value for name, value, _, _ in one["registers"]}
        values = np.array([found[name] for name in ENERGIES])
        assert (low <= values).all()
        assert (values <= high).all()
        assert one["whole"] == rows_until(one["whole"][-1][0])
        assert before_s - 900 < one["whole"][-1][0] <= after_s
    assert told[1]["clock:before"] - told[0]["clock:after"] >= 900
    assert len(told[1]["whole"]) > len(told[0]["whole"])
