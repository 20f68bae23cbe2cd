"""How many HLS-5 sessions a second `amiplan serve` answers: association, proof, one register, release.

Ten thousand meters, once with a TCP port each and a new connection per session, once all behind one port. Client and
server are processes of their own; the client is amiplan's own head end and takes about as much time as the server.

    python -m benchmarks.serve_load [N_METERS] [N_SESSIONS]
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from amiplan.meters.client import HeadEnd
from amiplan.meters.dlms.security import Channel, Keys
from amiplan.meters.settings import ServiceSettings

ASKED_PER_S = 200.0
N_CONNECTIONS = 8
SETTINGS = ServiceSettings(association="fresh")
Entry = dict[str, Any]


def result_folder(folder: Path, n_meters: int) -> None:
    """What `amiplan serve` needs of a result folder."""
    keys = np.arange(n_meters, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    names = [f"M{row:05d}" for row in range(n_meters)]
    pd.DataFrame({"meter_id": names, "key": keys, "kind": "house"}).to_parquet(folder / "fleet.parquet")
    record = {"seed": 1, "simulated_until": "2026-01-02T00:00:00+00:00", "session": asdict(SETTINGS)}
    (folder / "run.json").write_text(json.dumps(record))


@contextmanager
def served(folder: Path, *options: str) -> Iterator[tuple[list[Entry], int]]:
    command = [sys.executable, "-m", "amiplan.studies.cli", "serve", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield json.loads((folder / "serve.json").read_text()), process.pid
        finally:
            process.send_signal(signal.SIGTERM)


def head_end(entry: Entry) -> HeadEnd:
    parts = (entry[name] for name in ("block_cipher_key", "authentication_key"))
    titles = (entry[name] for name in ("client_system_title", "system_title"))
    keys = Keys(*(bytes.fromhex(one) for one in parts))
    return HeadEnd(Channel(keys, *(bytes.fromhex(one) for one in titles)), SETTINGS, 0)


def session(line: socket.socket, entry: Entry) -> None:
    """One service over an open connection; raises where the meter does not give its register."""
    sap = int(entry["server_sap"]).to_bytes(2, "big")
    steps = head_end(entry).read("register")
    request = next(steps)
    try:
        while True:
            line.sendall(request[:4] + sap + request[6:])
            answer = line.recv(4096)
            # The head end speaks to one meter, SAP 1; behind a shared port it has another number.
            request = steps.send(answer[:2] + b"\x00\x01" + answer[4:] if answer else None)
    except StopIteration:
        return


def client(entries: list[Entry], one_port: bool, failures: list[str]) -> None:
    try:
        line: socket.socket | None = None
        for entry in entries:
            if line is None or not one_port:
                line = socket.create_connection((entry["host"], entry["port"]), timeout=20.0)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session(line, entry)
            if not one_port:
                line.close()
    except Exception as wrong:
        failures.append(repr(wrong))


def measured(n_meters: int, n_sessions: int, one_port: bool) -> float:
    """Print one line, and give sessions per second."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result_folder(folder, n_meters)
        begin_s = time.perf_counter()
        options = ["--port", "0", *(["--one-port"] if one_port else [])]
        with served(folder, *options, "--security", "hls5", "--framing", "wrapper") as (entries, process):
            ready_s = time.perf_counter() - begin_s
            chosen = [entries[row] for row in np.linspace(0, n_meters - 1, n_sessions).astype(int)]
            failures: list[str] = []
            slices = [chosen[first::N_CONNECTIONS] for first in range(N_CONNECTIONS)]
            threads = [threading.Thread(target=client, args=(one, one_port, failures)) for one in slices]
            begin_s = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            spent_s = time.perf_counter() - begin_s
            resident_mb = resident_bytes(process) / 2**20
    assert not failures, failures[:3]
    how = "one port" if one_port else "a port each"
    print(
        f"serve, {n_meters} meters, {how}: ready in {ready_s:.1f} s, {n_sessions / spent_s:.0f} HLS-5 sessions/s "
        f"({n_sessions} different meters, {ASKED_PER_S:.0f} asked), {resident_mb:.0f} MB"
    )
    return n_sessions / spent_s


def resident_bytes(process: int) -> int:
    status = Path(f"/proc/{process}/status")
    found = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")] if status.exists() else []
    return int(found[0].split()[1]) * 1024 if found else 0


def main(n_meters: int = 10_000, n_sessions: int = 4_000) -> bool:
    """Print both layouts; whether both answer as many sessions as asked."""
    rates = [measured(n_meters, n_sessions, one_port) for one_port in (False, True)]
    return min(rates) >= ASKED_PER_S


if __name__ == "__main__":
    sys.exit(0 if main(*(int(one) for one in sys.argv[1:])) else 1)
