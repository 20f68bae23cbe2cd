"""`amiplan serve`: what it says, what it refuses, and meters that stay up whatever is thrown at them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from amiplan.meters.device.history import History
from amiplan.meters.dlms import acse, apdu, wrapper
from amiplan.meters.dlms.apdu import DataAccess
from amiplan.meters.dlms.hdlc import connect
from amiplan.meters.dlms.hdlc_link import LinkLost
from amiplan.meters.dlms.obis import IMPORT_ACTIVE, LOAD_PROFILE, Obis
from amiplan.studies.cli import main
from amiplan.studies.serve import first_counter
from raw_client import RawClient, Wire
from served import KINDS, SEED, fleet_folder, served

pytestmark = pytest.mark.slow

CONTRACT = {
    "meter_id", "host", "port", "server_sap", "client_saps", "system_title", "client_system_title",
    "block_cipher_key", "authentication_key", "framing", "security", "hdlc_server_address_bytes",
    "hdlc_physical_address", "password", "transport", "security_suite", "master_key",
}  # fmt: skip
QUIET_S = 0.3
"""Silence after which a meter is taken to have nothing to say."""
RELAY = Obis(0, 0, 96, 3, 10)
END_S = 1767312000  # 2026-01-02T00:00 UTC, where the simulated day ends
LINES = [("wrapper", "hls5"), ("hdlc", "hls5"), ("wrapper", "lls"), ("hdlc", "none")]


def imported_wh(row: int) -> int:
    """The import register of the meter in ``row`` where the simulated day ends."""
    key = (row * 0x9E3779B97F4A7C15 + 77) % 2**64
    return int(History.of_load(key, KINDS[row % 4], SEED, 0, 1).registers_at(END_S)[0])


def good_session(entry: dict[str, Any], row: int, counter: int, role: str = "reader") -> None:
    """A whole session, from its own connection to the release, that reads the right register."""
    with Wire(entry, role) as wire:
        client = RawClient(entry, role, wire.send, counter=counter)
        client.open()
        assert client.get(3, IMPORT_ACTIVE, 2).number == imported_wh(row)
        assert client.release() is not None


# -- what it says ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=LINES, ids=lambda line: "-".join(line))
def meters(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[dict[str, Any]]]:
    folder = fleet_folder(tmp_path_factory.mktemp("serve") / "result", 6)
    options = ("--framing", request.param[0], "--security", request.param[1], "--pace", "0")
    with served(folder, *options) as entries:
        yield entries


def test_serve_json_holds_what_a_head_end_needs(meters: list[dict[str, Any]]) -> None:
    assert [one["meter_id"] for one in meters] == [f"M{row:05d}" for row in range(6)]
    assert all(set(one) == CONTRACT for one in meters)
    assert len({one["port"] for one in meters}) == 6
    assert meters[0]["client_saps"] == {"public": 16, "management": 1, "reader": 2, "firmware": 3}
    for name in ("system_title", "block_cipher_key", "authentication_key"):
        assert len({one[name] for one in meters}) == 6
        assert all(bytes.fromhex(one[name]) for one in meters)


def test_every_meter_tells_its_own_register(meters: list[dict[str, Any]]) -> None:
    for row, entry in enumerate(meters):
        good_session(entry, row, counter=1)


def test_the_relay_obeys_the_management_and_nobody_else(meters: list[dict[str, Any]]) -> None:
    entry, opening = meters[3], apdu.ActionRequest(apdu.Method(70, RELAY, 1), apdu.Value(apdu.axdr.Tag.I8, 0))
    for role, allowed in (("public", False), ("reader", False), ("management", True)):
        with Wire(entry, role) as wire:
            client = RawClient(entry, role, wire.send, counter=100)
            client.open()
            answer = client.ask(opening)
            assert isinstance(answer, apdu.ActionResponse)
            assert (answer.result == apdu.ActionResult.SUCCESS) is allowed
            state = client.get(70, RELAY, 3)
            assert state == DataAccess.READ_WRITE_DENIED if role == "public" else state.number == 1 - allowed
            client.release()


def test_the_public_may_read_the_clock_and_no_register(meters: list[dict[str, Any]]) -> None:
    with Wire(meters[0], "public") as wire:
        client = RawClient(meters[0], "public", wire.send)
        client.open()
        assert len(client.get(8, Obis(0, 0, 1, 0, 0), 2).octets) == 12
        assert client.get(3, IMPORT_ACTIVE, 2) == DataAccess.READ_WRITE_DENIED


# -- what is thrown at it ----------------------------------------------------------------------------------------


def wrong(entry: dict[str, Any], **parts: str) -> dict[str, Any]:
    return {**entry, **parts}


def no_data(entry: dict[str, Any], counter: int) -> None:
    """A session with this entry's keys opens nothing and reads nothing."""
    with Wire(entry, "reader", timeout_s=QUIET_S) as wire:
        client = RawClient(entry, "reader", lambda request: quiet(wire, request), counter=counter)
        with pytest.raises(ValueError):
            client.open()


def quiet(wire: Wire, request: bytes) -> bytes | None:
    """As `Wire.send`; silence on HDLC may also be a link that is lost."""
    try:
        return wire.send(request)
    except LinkLost:
        return None


def test_wrong_keys_and_replays_get_no_data_and_the_next_good_session_works(meters: list[dict[str, Any]]) -> None:
    entry = meters[1]
    if entry["security"] != "hls5":
        no_good = wrong(entry, password="00" * 16) if entry["security"] == "lls" else None
        if no_good:
            no_data(no_good, 1)
        return good_session(entry, 1, counter=50)
    no_data(wrong(entry, block_cipher_key="00" * 16), 300)
    no_data(wrong(entry, authentication_key="00" * 16), 310)
    good_session(entry, 1, counter=320)
    no_data(entry, 300)
    return good_session(entry, 1, counter=400)


def test_rubbish_truncated_and_endless_bytes_get_no_data(meters: list[dict[str, Any]]) -> None:
    entry = meters[2]
    with Wire(entry, "reader", timeout_s=QUIET_S) as wire:
        client = RawClient(entry, "reader", wire.send, counter=500)
        whole = wrapper.pack(2, 1, client.aarq())
    for data in (b"\x7e" * 4000, bytes(range(256)) * 20, whole[:-3], b"\x00\x01\x00\x02\x00\x01\xff\xff", b"\x7e\xa0"):
        with socket.create_connection((entry["host"], entry["port"]), timeout=QUIET_S) as line:
            line.sendall(data)
            assert register_bytes(2) not in heard(line)
    good_session(entry, 2, counter=600)


def test_an_apdu_of_a_million_bytes_is_refused(meters: list[dict[str, Any]]) -> None:
    entry = meters[4]
    with Wire(entry, "reader", timeout_s=QUIET_S) as wire:
        client = RawClient(entry, "reader", lambda request: quiet(wire, request), counter=700)
        client.open()
        first = apdu.SetRequestFirstBlock(apdu.Attribute(8, Obis(0, 0, 1, 0, 0), 2), False, 1, bytes(400))
        answer = client.ask(first)
        for block in range(2, 2600):
            if not isinstance(answer, apdu.SetResponseBlock):
                break
            answer = client.ask(apdu.SetRequestBlock(False, block, bytes(400)))
        assert not isinstance(answer, apdu.SetResponseBlock)
    with socket.create_connection((entry["host"], entry["port"]), timeout=QUIET_S) as line:
        with suppress(OSError):
            line.sendall(wrapper.pack(2, 1, bytes(65535)) * 16)
        assert register_bytes(4) not in heard(line)
    good_session(entry, 4, counter=10_000)


def test_a_flipped_bit_gets_no_answer(meters: list[dict[str, Any]]) -> None:
    """Of a frame's check sequence; of a wrapper's version, after which the connection is closed."""
    entry = meters[5]
    message = connect(2, 1)[0] if entry["framing"] == "hdlc" else wrapper.pack(2, 1, acse.RELEASE_REQUEST)
    at = len(message) - 2 if entry["framing"] == "hdlc" else 1
    with socket.create_connection((entry["host"], entry["port"]), timeout=QUIET_S) as line:
        line.sendall(message)
        assert heard(line)
    with socket.create_connection((entry["host"], entry["port"]), timeout=QUIET_S) as line:
        line.sendall(message[:at] + bytes([message[at] ^ 0x04]) + message[at + 1 :])
        assert heard(line) == b""
    good_session(entry, 5, counter=1000)


def test_unknown_objects_and_attributes_are_refused_by_name(meters: list[dict[str, Any]]) -> None:
    with Wire(meters[0], "reader") as wire:
        client = RawClient(meters[0], "reader", wire.send, counter=2000)
        client.open()
        assert client.get(3, Obis(9, 9, 9, 9, 9), 2) == DataAccess.OBJECT_UNDEFINED
        assert isinstance(client.get(3, IMPORT_ACTIVE, 99), DataAccess)
        assert isinstance(client.get(3, IMPORT_ACTIVE, 2), apdu.Value)


def heard(line: socket.socket) -> bytes:
    """All that comes until the meter is quiet or closes."""
    data = b""
    with suppress(OSError):
        while piece := line.recv(65536):
            data += piece
    return data


def register_bytes(row: int) -> bytes:
    return imported_wh(row).to_bytes(4, "big")


# -- many behind one port ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_one_port_tells_its_meters_apart(framing: str, tmp_path: Path) -> None:
    folder = fleet_folder(tmp_path / "result", 6)
    options = ("--one-port", "--framing", framing, "--security", "hls5", "--pace", "0", "--meters", "M00001,M00004")
    with served(folder, *options) as entries:
        assert [one["server_sap"] for one in entries] == [17, 18]
        assert len({one["port"] for one in entries}) == 1
        for row, entry in zip((1, 4), entries, strict=True):
            good_session(entry, row, counter=1)
        rack = {**entries[0], "server_sap": 1}
        with Wire(rack, "public") as wire:
            client = RawClient(rack, "public", wire.send)
            client.open()
            told = {one.items[0].number: one.items[1].octets for one in client.get(17, Obis(0, 0, 41, 0, 0), 2).items}
            assert client.get(3, IMPORT_ACTIVE, 2) == DataAccess.OBJECT_UNDEFINED
        assert sorted(told) == [1, 17, 18]
        titles = [bytes.fromhex(one["system_title"]) for one in entries]
        assert [told[17], told[18]] == [one[:3] + one[3:].hex().upper().encode() for one in titles]
        with Wire(rack, "reader", timeout_s=QUIET_S) as wire:
            assert quiet(wire, RawClient({**rack, "security": "none"}, "reader", wire.send).aarq()) is None


def test_the_load_profile_goes_on_with_the_clock(tmp_path: Path) -> None:
    folder = fleet_folder(tmp_path / "result", 2)
    with served(folder, "--security", "none", "--framing", "wrapper", "--pace", "3600") as (entry, _):
        lengths = []
        for _ in range(2):
            with Wire(entry, "reader") as wire:
                client = RawClient(entry, "reader", wire.send)
                client.open()
                lengths.append(len(client.get(7, LOAD_PROFILE, 2).items))
            time.sleep(0.6)
    assert lengths[0] >= 96
    assert lengths[1] >= lengths[0] + 2


# -- what it refuses ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--meters", "M0000x"], ["M0000x", "did you mean", "M0000"]),
        (["--framing", "hdl"], ["--framing hdl", "'hdlc'"]),
        (["--security", "hls"], ["--security hls", "'hls5'"]),
        (["--at", "noon"], ["--at noon", "2026-01-02T12:00"]),
        (["--at", "2025-12-31"], ["--at 2025-12-31", "2026"]),
        (["--pace", "-1"], ["--pace -1", "0"]),
        (["--port", "65534"], ["--port 65534", "65535", "--one-port"]),
        (["--port", "70000"], ["--port 70000: 1 to 65535", "0"]),
        (["--port", "-1", "--one-port"], ["--port -1: 1 to 65535", "0"]),
        (["--host", "256.1.1.1"], ["--host 256.1.1.1"]),
    ],
)
def test_what_cannot_be_served_is_refused_in_one_line(
    options: list[str], named: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fleet_folder(tmp_path / "result", 6)
    assert main(["serve", str(folder), *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert all(word in said.err for word in named), said.err
    assert not (folder / "serve.json").exists()


def test_a_folder_without_results_and_a_taken_port_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(tmp_path)]) == 2
    assert "run.json" in capsys.readouterr().err
    folder = fleet_folder(tmp_path / "result", 2)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", str(folder), "--port", str(port)]) == 2
    assert f"--port {port}" in capsys.readouterr().err
    (folder / "fleet.parquet").unlink()
    assert main(["serve", str(folder)]) == 2
    assert "fleet.parquet" in capsys.readouterr().err


def test_a_result_folder_that_is_damaged_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = fleet_folder(tmp_path / "result", 2)
    record = json.loads((folder / "run.json").read_text())
    damaged = {
        "cannot be read": "{",
        "seed is missing": json.dumps({**record, "seed": None}).replace('"seed"', '"sead"'),
        "tries": json.dumps({**record, "session": {**record["session"], "tries": 0}}),
        "unknown key": json.dumps({**record, "session": {"patience": 3}}),
    }
    for word, text in damaged.items():
        (folder / "run.json").write_text(text)
        assert main(["serve", str(folder), "--port", "0"]) == 2
        said = capsys.readouterr().err
        assert word in said
        assert said.count("\n") == 1


def test_too_few_file_handles_are_said_before_anything_opens(tmp_path: Path) -> None:
    folder = fleet_folder(tmp_path / "result", 400)
    limited = 'ulimit -n 200; exec "$@"'
    command = [sys.executable, "-m", "amiplan.studies.cli", "serve", str(folder), "--port", "0"]
    done = subprocess.run(["bash", "-c", limited, "-", *command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "open files" in done.stderr


def test_more_clients_than_file_handles_leave_the_others_served_and_the_log_empty(tmp_path: Path) -> None:
    folder = fleet_folder(tmp_path / "result", 2)
    command = [sys.executable, "-m", "amiplan.studies.cli", "serve", str(folder), "--port", "0", "--pace", "0"]
    shell = ["bash", "-c", 'ulimit -n 300; exec "$@"', "-", *command]
    process = subprocess.Popen(shell, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert "2 meters answer" in process.stdout.readline()
        entry, other = json.loads((folder / "serve.json").read_text())
        lines = []
        for _ in range(1000):
            with suppress(OSError):
                lines.append(socket.create_connection((entry["host"], entry["port"]), timeout=5.0))
        for line in lines:
            line.close()
        time.sleep(0.5)
        good_session(other, 1, counter=1)
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert said == ""


def test_ids_with_commas_can_be_chosen(tmp_path: Path) -> None:
    folder = fleet_folder(tmp_path / "result", 5)
    fleet = pd.read_parquet(folder / "fleet.parquet")
    fleet["meter_id"] = ["A", "A,1", "A, 1,2", "B", "Zähler ß"]
    fleet.to_parquet(folder / "fleet.parquet", index=False)
    with served(folder, "--meters", "A,1,2, B,Zähler ß") as entries:
        assert [one["meter_id"] for one in entries] == ["A, 1,2", "B", "Zähler ß"]
    with served(folder, "--meters", "A,B,A,1") as entries:
        assert [one["meter_id"] for one in entries] == ["A", "A,1", "B"]


@pytest.mark.parametrize("background", ["", "trap '' INT; "])
def test_ctrl_c_ends_it_with_130(tmp_path: Path, background: str) -> None:
    folder = fleet_folder(tmp_path / "result", 2)
    command = [sys.executable, "-m", "amiplan.studies.cli", "serve", str(folder), "--port", "0"]
    shell = ["bash", "-c", f'{background}exec "$@"', "-", *command]
    process = subprocess.Popen(shell, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "2 meters answer" in process.stdout.readline()
        assert len(json.loads((folder / "serve.json").read_text())) == 2
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in said


def test_counters_of_a_later_serve_begin_above_those_of_an_earlier_one(tmp_path: Path) -> None:
    begin_s = 1_767_225_600.0  # 1 January 2026
    assert first_counter(begin_s - 5.0) == first_counter(begin_s) == 1
    assert first_counter(begin_s + 100.0) == 401
    assert first_counter(begin_s + 1e12) < 2**31 + 1
