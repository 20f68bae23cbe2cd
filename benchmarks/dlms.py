"""Templates of whole fleets: against another implementation one by one, and a million of them streamed.

Run with ``python -m benchmarks.dlms``. The other implementation, dlms-cosem, is no dependency: it lives in an
environment of its own (``make oracle``, or name its Python in AMIPLAN_ORACLE_PYTHON).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from amiplan.meters.fleet import answer_bytes
from amiplan.meters.fleet_data import CHUNK_METERS, Readings, chunks, readings_of
from amiplan.meters.identity import identities_of
from amiplan.meters.settings import ServiceSettings

WHOLE = ServiceSettings(max_pdu_bytes=65535)
N_STREAMED = 1_000_000
N_COMPARED = 300
ASKED_RATIO = 20.0
ASKED_SECONDS, ASKED_MIB = 60.0, 1024.0
CORES = 2
ROUNDS = 5

OTHER = """
import json, sys, time
from dlms_cosem import enumerations, security, dlms_data
from dlms_cosem.protocol import xdlms
n = int(sys.argv[1])
titles = [bytes([i % 251]) * 8 for i in range(n)]
key = bytes(range(16))
moments = [bytes([7, 234, 1, 1, 4, i // 4, 15 * (i % 4), 0, 0, 0, 0, 0]) for i in range(96)]
control = security.SecurityControlField(security_suite=0, authenticated=True, encrypted=True)
def one(meter):
    rows = [
        dlms_data.DataStructure([dlms_data.OctetStringData(when)]
            + [dlms_data.DoubleLongUnsignedData(1000 * meter + 7 * row + channel) for channel in range(4)])
        for row, when in enumerate(moments)
    ]
    plain = b"\\xc4\\x01\\xc1\\x00" + dlms_data.DataArray(rows).to_bytes()
    return security.encrypt(control, titles[meter], 1, key, plain, key), len(plain)
one(0)
begin = time.perf_counter()
lengths = {one(meter)[1] for meter in range(n)}
print(json.dumps({"seconds": time.perf_counter() - begin, "lengths": sorted(lengths)}))
"""
"""What the other implementation does for one meter: 96 rows of a time and four registers, then suite 0."""


def figures() -> bool:
    """Print both figures; whether they hold what is asked."""
    held = [against_another(), streamed()]
    return all(held)


def against_another() -> bool:
    """Day profiles a second, one core each, the two in turn: templates and dlms-cosem."""
    python = oracle()
    if python is None:
        print(
            f"templates: {template_seconds() * 1e6:.1f} us a day profile, encoded and ciphered with suite 0, one core"
        )
        print("dlms-cosem: skipped, no separate environment with it: run `make oracle`")
        return True
    rounds = []
    for _ in range(ROUNDS):
        mine_s = template_seconds()
        run = subprocess.run([python, "-c", OTHER, str(N_COMPARED)], capture_output=True, text=True, check=False)
        if run.returncode:
            print(f"dlms-cosem: skipped, it failed: {run.stderr.strip().splitlines()[-1:]}")
            return False
        told = json.loads(run.stdout)
        rounds.append((told["seconds"] / N_COMPARED, mine_s))
    other_s, mine_s = (statistics.median(one) for one in zip(*rounds, strict=True))
    ratio = statistics.median(other / mine for other, mine in rounds)
    print("a day profile of 96 x (time, 4 registers) from numbers to suite 0, keys at hand, key schedule included:")
    print(f"  templates {mine_s * 1e6:.1f} us, dlms-cosem {other_s * 1e6:.0f} us, one core, plain {told['lengths']} B;")
    print(f"  ratio {ratio:.1f} (asked {ASKED_RATIO:g}), median of {ROUNDS} rounds in turn")
    return ratio >= ASKED_RATIO and told["lengths"] == [3462]


def oracle() -> str | None:
    """Python of the environment with the other implementation, or None."""
    here = Path(__file__).parent.parent / ".oracle/bin/python"
    named = os.environ.get("AMIPLAN_ORACLE_PYTHON", str(here))
    return named if Path(named).exists() else None


def template_seconds() -> float:
    """Seconds per meter: encoding and ciphering of given readings, keys at hand; median of five."""
    rng = np.random.default_rng(1)
    values = np.cumsum(rng.integers(0, 300, (CHUNK_METERS, 96, 4), np.uint32), axis=1, dtype=np.uint32)
    readings = Readings(0, values[:, -1, 0].copy(), values)
    identities = identities_of(np.arange(CHUNK_METERS, dtype=np.uint64))
    answer_bytes("profile", readings, WHOLE, identities)
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        answer_bytes("profile", readings, WHOLE, identities)
        times.append((time.perf_counter() - begin) / CHUNK_METERS)
    return float(np.median(times))


def streamed() -> bool:
    """A million day profiles, drawn by the load model, encoded and ciphered, on two cores: seconds and memory."""
    parts = np.array_split(np.arange(1, N_STREAMED + 1, dtype=np.uint64), CORES)
    begin = time.perf_counter()
    with ProcessPoolExecutor(CORES, mp_context=get_context("spawn")) as pool:
        told = list(pool.map(stream_part, parts))
    seconds = time.perf_counter() - begin
    n_bytes, load_s, say_s = (sum(one[item] for one in told) for item in range(3))
    mib = sum(one[3] for one in told)
    print(f"{N_STREAMED} day profiles on {CORES} cores: {seconds:.1f} s (asked {ASKED_SECONDS:g}),")
    print(f"  {n_bytes / 1e9:.2f} GB; of {load_s + say_s:.0f} core seconds {load_s:.0f} for the load model;")
    print(f"  most memory {mib:.0f} MiB in {CORES} processes together (asked {ASKED_MIB:g})")
    return seconds <= ASKED_SECONDS and mib <= ASKED_MIB


def stream_part(keys: np.ndarray) -> tuple[int, float, float, float]:
    """Bytes made, seconds for readings and for answers, and the process's peak memory [MiB]."""
    kind = np.zeros(keys.size, np.int8)
    n_bytes, load_s, say_s = 0, 0.0, 0.0
    for rows in chunks(keys.size):
        begin = time.perf_counter()
        readings = readings_of(keys[rows], kind[rows], 0, WHOLE)
        middle = time.perf_counter()
        n_bytes += answer_bytes("profile", readings, WHOLE, identities_of(keys[rows])).content.size
        load_s, say_s = load_s + middle - begin, say_s + time.perf_counter() - middle
    return n_bytes, load_s, say_s, most_memory_mib()


def most_memory_mib() -> float:
    """Peak resident memory of this process; ru_maxrss would begin with that of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024.0


if __name__ == "__main__":
    sys.exit(0 if figures() else 1)
