"""Runs that cannot write, are interrupted or were killed: one line, an exit code, and nothing half-written."""

from __future__ import annotations

import errno
import multiprocessing
import os
import pickle
import resource
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import amiplan.studies.commands as commands
import amiplan.studies.export as export
import amiplan.studies.run as running
import made_cases as made
import pyogrio
import pytest
from amiplan.studies.cli import main
from amiplan.studies.export import write_results
from amiplan.studies.workers import Workers


@contextmanager
def files_of_at_most(n_bytes: int) -> Iterator[None]:
    """The system refuses to let any file grow beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def case(tmp_path: Path) -> Path:
    made.write_meters(tmp_path, made.street(6))
    path = tmp_path / "case.toml"
    layer = 'path = "meters.csv"\ncrs = "EPSG:32632"\nx = "x"\ny = "y"\n'
    path.write_text(f'[area]\nname = "made"\n[area.meters]\n{layer}', encoding="utf-8")
    return path


def stopped_at(error: BaseException, kept: bool = False) -> Any:
    def run(case: Any, crew: Any, work: Path) -> Any:
        if kept:
            work.mkdir(parents=True)
            (work / "0.pickle").write_bytes(b"done")
        raise error

    return run


NO_ROOM = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("n_bytes", [1, 20_000, 200_000])
def test_results_that_do_not_fit_leave_nothing(study: Any, tmp_path: Path, n_bytes: int) -> None:
    with files_of_at_most(n_bytes), pytest.raises(OSError):
        write_results(study, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_map_layers_that_do_not_fit_name_the_disk(study: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise pyogrio.errors.FeatureError("no such table: gpkg_contents")

    monkeypatch.setattr(export.pyogrio, "write_dataframe", refuse)
    with pytest.raises(OSError, match="no such table"):
        write_results(study, tmp_path / "out")
    monkeypatch.setattr(export, "FULL_BYTES", float("inf"))
    with pytest.raises(OSError, match="No space left"):
        write_results(study, tmp_path / "out")


@pytest.mark.parametrize("kept", [False, True])
def test_a_full_disk_is_one_line_with_folder_and_reason(
    case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kept: bool
) -> None:
    monkeypatch.setattr(running, "run", stopped_at(NO_ROOM, kept))
    before = {path.name for path in case.parent.iterdir()}
    assert main(["run", str(case), "-o", str(case.parent / "result")]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "result: the results cannot be written: No space left on device" in told.err
    assert ("--resume" in told.err) == kept
    assert {path.name for path in case.parent.iterdir()} == before | ({".result.work"} if kept else set())


def test_writing_that_fails_is_one_line_too(
    case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "run", lambda *_: None)
    monkeypatch.setattr(export, "write_results", lambda *_: (_ for _ in ()).throw(NO_ROOM))
    assert main(["run", str(case), "-o", str(case.parent / "result")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_piece_that_cannot_be_kept_leaves_no_half(tmp_path: Path) -> None:
    with files_of_at_most(100), pytest.raises(OSError):
        Workers().map("x", bytes, [10_000], keep=tmp_path / "work")
    assert not list((tmp_path / "work").iterdir())


def test_what_a_killed_process_left_is_removed_and_nothing_else(study: Any, tmp_path: Path) -> None:
    leftover, others = tmp_path / ".out.abcd_123.partial", [".out.v2.abcd_123.partial", ".outer.abcd1234.partial"]
    for folder in (leftover, *(tmp_path / name for name in others)):
        folder.mkdir()
        (folder / "kpis.csv").write_text("half")
    write_results(study, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*others, "out"])


def test_ctrl_c_is_one_line_and_130(
    case: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(running, "run", stopped_at(KeyboardInterrupt()))
    assert main(["run", str(case), "-o", str(case.parent / "result")]) == 130
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert told.err.startswith("interrupted; with --resume")
    assert main(["demo", "schutterwald", "-o", str(case.parent / "demo")]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_ctrl_c_ends_the_worker_processes() -> None:
    # a shell's background ignores the signal: the test brings its own handler
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            Workers(2).map("x", time.sleep, [600, 601], keep=None)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not multiprocessing.active_children()


def test_help_says_what_resume_keeps(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "sites and replications that were finished are kept" in words


def test_new_into_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["new", str(tmp_path / "file" / "case")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_check_names_the_first_rows_of_a_fault_and_its_cause(case: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"m{n},{made.X_M + 9 * n},{made.Y_M},{'L4' if 1 < n < 7 else 'L1'}" for n in range(40)]
    (case.parent / "meters.csv").write_text("\n".join(["meter_id,x,y,phase", *rows, "m1,500100,5500000,", "z,0,0,"]))
    assert main(["check", str(case)]) == 0
    text = capsys.readouterr().out
    assert "  meters bad_value: 5 rows (m2, m3, m4, ...): phase is none of L1, L2, L3" in text
    assert "  meters duplicate_id: 1 row (m1): another row has the same id" in text
    assert "  meters zero_place: 1 row (z): the row lies at (0, 0)" in text


def test_finished_work_is_readable_after_an_interrupt(tmp_path: Path) -> None:
    def second_is_interrupted(piece: int) -> int:
        if piece == 2:
            raise KeyboardInterrupt
        return piece

    with pytest.raises(KeyboardInterrupt):
        Workers().map("x", second_is_interrupted, [1, 2], keep=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["0.pickle"]
    assert pickle.loads((tmp_path / "0.pickle").read_bytes()) == 1


def test_the_reason_of_the_system_is_told_even_without_a_number(tmp_path: Path) -> None:
    assert "out: the results cannot be written: odd; make room" in commands._cannot_write(
        tmp_path / "out", tmp_path / "work", OSError("odd")
    )
