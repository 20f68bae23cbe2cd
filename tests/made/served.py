"""`amiplan serve` as a process of its own, on a result folder that holds just what it needs."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from amiplan.meters.settings import ServiceSettings

SEED = 5
KINDS = ("house", "flat", "farm", "house")


def fleet_folder(folder: Path, n_meters: int = 6, **session: Any) -> Path:
    """A result folder of ``n_meters`` meters ``M00000`` onward, as `amiplan run` leaves it, without maps and tables."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = np.arange(n_meters, dtype=np.uint64)
    fleet = pd.DataFrame(
        {
            "meter_id": [f"M{row:05d}" for row in range(n_meters)],
            "key": rows * np.uint64(0x9E3779B97F4A7C15) + np.uint64(77),
            "kind": [KINDS[row % len(KINDS)] for row in range(n_meters)],
        }
    )
    fleet.to_parquet(folder / "fleet.parquet", index=False)
    record = {
        "seed": SEED,
        "simulated_until": "2026-01-02T00:00:00+00:00",
        "session": asdict(ServiceSettings(**session)),
    }
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


@contextmanager
def served(folder: Path, *options: str, port: int = 0) -> Iterator[list[dict[str, Any]]]:
    """Serve ``folder``; yields what serve.json says, and ends the process on leaving."""
    command = [sys.executable, "-m", "amiplan.studies.cli", "serve", str(folder), "--port", str(port), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        if "answer on" not in process.stdout.readline():
            raise AssertionError(process.communicate()[1])
        yield json.loads((folder / "serve.json").read_text(encoding="utf-8"))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            _, said = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.returncode == 0, said
    assert said == "", said
