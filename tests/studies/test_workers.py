from __future__ import annotations

from pathlib import Path

import pytest
from amiplan.studies.settings import UserError
from amiplan.studies.workers import Workers


def scaled(piece: int, factor: int) -> int:
    return piece * factor


def counted(piece: int, folder: Path) -> int:
    (folder / f"called-{piece}").touch()
    return piece


def test_results_do_not_depend_on_the_number_of_workers() -> None:
    alone = Workers(1).map("x", scaled, [3, 1, 2], 10, keep=None)
    # Worker processes import this function by module name, so a product function stands in for the pool.
    with Workers(2) as crew:
        pooled = crew.map("x", divmod, [3, 1, 2], 2, keep=None)
    assert alone == [30, 10, 20]
    assert pooled == [(1, 1), (0, 1), (1, 0)]


def test_finished_pieces_are_taken_again(tmp_path: Path) -> None:
    calls, kept = tmp_path / "calls", tmp_path / "kept"
    calls.mkdir()
    first = Workers().map("x", counted, [5, 6], calls, keep=kept)
    for one in calls.iterdir():
        one.unlink()
    second = Workers().map("x", counted, [5, 6], calls, keep=kept)
    assert first == second == [5, 6]
    assert not list(calls.iterdir())


def test_an_unfinished_piece_is_done_again(tmp_path: Path) -> None:
    (tmp_path / "0.unfinished").write_bytes(b"half")
    assert Workers().map("x", scaled, [4], 2, keep=tmp_path) == [8]


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    Workers(1, notify=lambda *values: told.append(values)).map("step", scaled, [1, 2], 1, keep=None)
    assert told[-1] == ("step", 2, 2)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra amiplan[cluster] is not installed")

    def silent(address: str) -> None:
        raise OSError("timed out")

    monkeypatch.setattr(distributed, "Client", silent)
    with pytest.raises(UserError, match="--scheduler tcp://nowhere:1: timed out"):
        Workers(scheduler="tcp://nowhere:1").map("x", scaled, [1], 10, keep=None)
