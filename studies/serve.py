"""The meters of a finished study as DLMS servers for a real head end."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..meters import clock
from ..meters.rack import Clock, Rack
from ..meters.serving import Door, listen, serve
from ..meters.settings import ServiceSettings
from .settings import UserError, fill, suggestion

FRAMINGS = ("wrapper", "hdlc")
SECURITIES = ("none", "lls", "hls5")
LAST_DAY = 366
"""Registers are summed from day 0 on, so a clock far ahead would make each meter's first answer slow."""
LAST_PORT = 65_535
COUNTERS_PER_S = 4
"""Invocation counters that pass with every second of the machine's clock; a choice of ours."""
CONNECTIONS, LEAST_CONNECTIONS, OWN_FILES = 4096, 32, 128
"""Connections for which file handles are asked for, without which nothing is served, and handles for all else."""


@dataclass(frozen=True)
class ServeOptions:
    """What the command line asks for; None takes what the study was run with.

    meters : ids to serve, all where empty;  port : first TCP port, 0 lets the system choose each.
    one_port : all meters behind the first port, as logical devices.
    at : the meters' clock at the start, ISO 8601, UTC where it names no zone;  pace : seconds it runs per second.
    """

    meters: tuple[str, ...] = ()
    port: int = 4059
    host: str = "127.0.0.1"
    framing: str | None = None
    security: str | None = None
    one_port: bool = False
    at: str | None = None
    pace: float = 1.0


def serve_folder(folder: Path, options: ServeOptions, announce: Callable[[str], None]) -> None:
    """Serve the meters of a result folder until SIGTERM; ``announce`` gets one line when all doors are open.

    Writes ``serve.json`` into the folder first: a list with one object per meter, see `entry`. Raises UserError where
    the folder is no result folder, an option does not fit it, or the ports cannot be had.
    """
    record, fleet = _read(folder)
    fleet = _chosen(fleet, options.meters, folder)
    settings = _settings(record, options)
    rack = _rack(fleet, settings, record, options, folder)
    most_connections = _room_for_connections(1 if options.one_port else len(fleet))
    doors = _doors(rack, options)
    try:
        _write(folder / "serve.json", _entries(fleet, rack, doors, options))
        ready = _ready_line(fleet, doors, rack, options, folder)
        asyncio.run(_until_told(doors, lambda: announce(ready), most_connections))
    finally:
        for door, _ in doors:
            door.close()


# -- what the folder holds ---------------------------------------------------------------------------------------


def _read(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    if not (folder / "run.json").is_file():
        raise UserError(
            f"{folder}: no run.json here, so it is not a result folder; `amiplan run CASE.toml -o {folder}`"
        )
    if not (folder / "fleet.parquet").is_file():
        raise UserError(f"{folder}: no fleet.parquet here, an older version wrote this folder; run the case again")
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        fleet = pd.read_parquet(folder / "fleet.parquet", columns=["meter_id", "key", "kind"])
    except (ValueError, OSError) as wrong:
        raise UserError(f"{folder}: run.json or fleet.parquet cannot be read: {wrong}; run the case again") from None
    missing = [name for name in ("seed", "session", "simulated_until") if name not in record]
    if missing:
        raise UserError(
            f"{folder / 'run.json'}: {missing[0]} is missing, an older version wrote it; run the case again"
        )
    return record, fleet


def _chosen(fleet: pd.DataFrame, wanted: tuple[str, ...], folder: Path) -> pd.DataFrame:
    known = fleet["meter_id"]
    wanted = tuple(_with_commas(wanted, known)) if wanted else ()
    for one in wanted:
        if not (known == one).any():
            raise UserError(f"--meters {one}: no such meter in {folder}; {_nearest(one, known)}")
    chosen = fleet[known.isin(wanted)] if wanted else fleet
    if chosen.empty:
        raise UserError(f"{folder}: this study has no usable meter, so there is nothing to serve; look at qa_issues")
    return chosen.reset_index(drop=True)


def _with_commas(pieces: tuple[str, ...], known: pd.Series[str]) -> Iterator[str]:
    """The ids in a list that was cut at every comma, though an id may hold some; the longest known one each time."""
    written = {",".join(part.strip() for part in one.split(",")): one for one in known}
    most = 1 + max((one.count(",") for one in written), default=0)
    at = 0
    while at < len(pieces):
        runs = (",".join(pieces[at : at + n]) for n in range(min(most, len(pieces) - at), 0, -1))
        found = next((run for run in runs if run in written), pieces[at])
        yield written.get(found, found)
        at += 1 + found.count(",")


def _nearest(one: str, known: pd.Series[str]) -> str:
    told = suggestion(one, known)
    return told if len(known) <= 12 or told.startswith("did") else f"known are {known.iloc[0]} to {known.iloc[-1]}"


def _settings(record: dict[str, Any], options: ServeOptions) -> ServiceSettings:
    """The session settings of the study, with what the command line changes; real clients open their associations."""
    studied: ServiceSettings = fill(ServiceSettings, record["session"], "run.json [session]")
    framing = _one_of("--framing", options.framing or studied.framing, FRAMINGS)
    own = "hls5" if studied.ciphered else studied.security
    security = _one_of("--security", options.security or own, SECURITIES)
    if security == "hls5":
        security = studied.security if studied.ciphered else "suite_0"
    address_bytes = 4 if options.one_port else studied.hdlc_server_address_bytes
    return replace(
        studied,
        framing=framing,
        security=security,
        association="fresh",
        hdlc_server_address_bytes=address_bytes,
        read_counter=False,
    )


def _one_of(option: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UserError(f"{option} {value}: {suggestion(value, known)}")
    return value


def _start_s(record: dict[str, Any], options: ServeOptions) -> float:
    text = options.at or str(record["simulated_until"])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"--at {text}: write a moment such as 2026-01-02T12:00") from None
    start_s = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    first, last = clock.day_start_s(0), clock.day_start_s(LAST_DAY)
    if not first <= start_s <= last:
        raise UserError(f"--at {text}: the meters' registers start on 2026-01-01; choose a moment of 2026")
    if not 0.0 <= options.pace <= 3600.0:
        raise UserError(f"--pace {options.pace:g}: 0 (clock stands) to 3600 seconds of the meters' time per second")
    return start_s


def _rack(
    fleet: pd.DataFrame, settings: ServiceSettings, record: dict[str, Any], options: ServeOptions, folder: Path
) -> Rack:
    running = Clock(_start_s(record, options), options.pace)
    keys, kinds = fleet["key"].to_numpy(np.uint64), fleet["kind"].to_numpy(object)
    try:
        return Rack(
            keys,
            kinds,
            settings,
            seed=int(record["seed"]),
            clock=running,
            shared=options.one_port,
            first_counter=first_counter(time.time()),
        )
    except ValueError as wrong:
        raise UserError(f"{folder}: {wrong}") from None


def first_counter(machine_time_s: float) -> int:
    """Where invocation counters begin when the machine's clock shows this: above those of any earlier serve.

    The same titles and keys come back whenever a study is served, so their counters must not; a meter may send
    ``COUNTERS_PER_S`` APDUs a second, on average, before a later start would repeat one.
    """
    return 1 + int(max(machine_time_s - clock.day_start_s(0), 0.0) * COUNTERS_PER_S) % 2**31


# -- doors -------------------------------------------------------------------------------------------------------


def _doors(rack: Rack, options: ServeOptions) -> list[Door]:
    n_doors = 1 if options.one_port else rack.n_meters
    last = options.port + n_doors - 1 if options.port else 0
    if not 0 <= options.port <= LAST_PORT:
        raise UserError(f"--port {options.port}: 1 to {LAST_PORT}, or 0 to let the system choose")
    if last > LAST_PORT:
        raise UserError(
            f"--port {options.port}: {n_doors} meters need ports up to {last}, {LAST_PORT} is the last; {_ONE}"
        )
    doors: list[Door] = []
    try:
        for row in range(n_doors):
            port = options.port + row if options.port else 0
            doors.append((_listen(options.host, port), rack.opener(None if options.one_port else row)))
    except UserError:
        for door, _ in doors:
            door.close()
        raise
    return doors


_ONE = "choose a lower one, fewer --meters, or --one-port"


def _listen(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except (socket.gaierror, UnicodeError):
        raise UserError(f"--host {host}: no such address on this machine; 127.0.0.1 is always there") from None
    except OSError as refused:
        raise UserError(f"--port {port} on {host}: {os.strerror(refused.errno or 0).lower()}; choose another") from None


def _room_for_connections(n_doors: int) -> int:
    """How many connections fit beside the doors, once the limit of open files is raised as far as it goes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS
    needed = n_doors + CONNECTIONS + OWN_FILES
    allowed = max(soft, needed if hard == resource.RLIM_INFINITY else min(needed, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    room = allowed - n_doors - OWN_FILES
    if room < LEAST_CONNECTIONS:
        least = n_doors + OWN_FILES + LEAST_CONNECTIONS
        raise UserError(f"{n_doors} ports need {least} open files, this system allows {hard}; {_ONE}")
    return room


async def _until_told(doors: list[Door], ready: Callable[[], None], most_connections: int) -> None:
    """Serve until SIGTERM, or SIGINT, which raises KeyboardInterrupt even where a shell's background ignores it."""
    stop = asyncio.Event()
    told: list[signal.Signals] = []

    def end(which: signal.Signals) -> None:
        told.append(which)
        stop.set()

    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, end, one)
    await serve(doors, stop, ready, most_connections)
    if told[0] is signal.SIGINT:
        raise KeyboardInterrupt


# -- what is told ------------------------------------------------------------------------------------------------


def _entries(fleet: pd.DataFrame, rack: Rack, doors: list[Door], options: ServeOptions) -> list[dict[str, Any]]:
    ports = [door.getsockname()[1] for door, _ in doors]
    return [
        {
            "meter_id": meter_id,
            "host": options.host,
            "port": ports[0 if options.one_port else row],
            "transport": "tcp",
            **rack.told(row),
        }
        for row, meter_id in enumerate(fleet["meter_id"])
    ]


def _write(path: Path, entries: list[dict[str, Any]]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as refused:
        raise UserError(f"{path}: cannot be written: {os.strerror(refused.errno or 0).lower()}") from None


def _ready_line(fleet: pd.DataFrame, doors: list[Door], rack: Rack, options: ServeOptions, folder: Path) -> str:
    ports = [door.getsockname()[1] for door, _ in doors]
    where = f"ports {ports[0]} to {ports[-1]}" if options.port else "ports of the system's choice"
    where = f"port {ports[0]}" if len(ports) == 1 else where
    settings = rack.settings
    return (
        f"{len(fleet)} meters answer on {options.host} {where}, {settings.framing}, security {settings.security}; "
        f"keys and addresses in {folder / 'serve.json'}; Ctrl-C ends it"
    )
