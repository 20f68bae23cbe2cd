"""What the commands do, as functions that return the text to print."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from ..channels.parameters import parameters_of
from ..channels.technologies import all_technologies
from ..gis.audit import CODES
from ..gis.readers import row_word
from ..planner.pipeline import PlanningError
from ..planner.simulate import TIERS
from .assemble import area_of, replication_notes
from .case import Case
from .line_words import line_notes
from .settings import UserError, suggestion
from .workers import Notify, Workers

DEMO_MARK = ".amiplan-demo"


def with_tier(case: Case, tier: str | None) -> Case:
    """The case with another tier; raises UserError for an unknown one."""
    if tier is None:
        return case
    if tier not in TIERS:
        raise UserError(f"--tier {tier}: {suggestion(tier, TIERS)}")
    simulation = replace(case.settings.simulation, tier=tier)
    return replace(case, settings=replace(case.settings, simulation=simulation))


def run_case(
    case: Case,
    folder: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    resume: bool = False,
    force: bool = False,
    own_demo: bool = False,
) -> str:
    """Run a case into a result folder and say what came out.

    Raises UserError where the folder exists and neither resume nor force is given, where a demo would replace a
    folder that no demo made, or where the system does not let it write.
    """
    from .export import write_results
    from .run import run
    from .summary import summary_text

    begin = time.perf_counter()
    _check_folder(folder, resume, force, own_demo)
    work = folder.with_name(f".{folder.name}.work")
    if not resume:
        shutil.rmtree(work, ignore_errors=True)
    with _progress() as notify, Workers(workers, scheduler, notify) as crew:
        try:
            study = run(case, crew, work)
        except PlanningError as error:
            shutil.rmtree(work, ignore_errors=True)
            raise UserError(f"{case.path}: {error}") from error
        except UserError:
            shutil.rmtree(work, ignore_errors=True)
            raise
        except OSError as error:
            raise UserError(_cannot_write(folder, work, error)) from error
        try:
            crew.step("writing results", write_results, study, folder)
            if own_demo:
                (folder / DEMO_MARK).touch()
            crew.timings_s["total"] = round(time.perf_counter() - begin, 3)
            (folder / "timings.json").write_text(json.dumps(crew.timings_s, indent=1) + "\n")
        except OSError as error:
            raise UserError(_cannot_write(folder, work, error)) from error
    shutil.rmtree(work, ignore_errors=True)
    return summary_text(study) + f"\nReport: {(folder / 'report.html').resolve()}"


def _cannot_write(folder: Path, work: Path, error: OSError) -> str:
    """One line with the folder, the system's reason, and what to do; finished work stays for ``--resume``."""
    kept = any(work.rglob("*.pickle")) if work.is_dir() else False
    if not kept:
        shutil.rmtree(work, ignore_errors=True)
    again = "make room or choose another folder with -o"
    if kept:
        again = "make room and add --resume, which keeps what is finished, or choose another with -o"
    return f"{folder}: the results cannot be written: {error.strerror or error}; {again}"


def _check_folder(folder: Path, resume: bool, force: bool, own_demo: bool) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UserError(f"{folder}: is a file, not a folder; choose another with -o")
    ours = (folder / DEMO_MARK).is_file()
    if own_demo and not ours and any(folder.iterdir()):
        raise UserError(f"{folder}: exists and was not made by `amiplan demo`; choose another with -o")
    if not own_demo and not resume and not force and any(folder.iterdir()):
        raise UserError(f"{folder}: exists; use --force to replace it or --resume to go on with an interrupted run")
    foreign = not (folder / "run.json").is_file() and any(folder.iterdir())
    if foreign and not own_demo:
        raise UserError(f"{folder}: holds files but no run.json, so it is not a result folder; choose another with -o")


@contextmanager
def _progress() -> Iterator[Notify]:
    if not sys.stderr.isatty():
        yield lambda step, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks: dict[str, Any] = {}

        def notify(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=total)
            progress.update(tasks[step], completed=done)

        yield notify


def write_new_case(directory: Path) -> str:
    """Write a commented case file into ``directory``; never over an existing one."""
    target = directory / "case.toml"
    if target.exists():
        raise UserError(f"{target}: exists; choose another folder")
    if directory.exists() and not directory.is_dir():
        raise UserError(f"{directory}: is a file; choose a folder")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        target.write_text((files("amiplan.studies") / "templates" / "case.toml").read_text(encoding="utf-8"), "utf-8")
    except OSError as error:
        raise UserError(f"{target}: cannot be written: {error.strerror or error}; choose another folder") from error
    return (
        f"{target} written. Edit [area]: name your meter layer (or buildings and addresses), and what else you have; "
        f"then `amiplan check {target}`."
    )


def audit_text(case: Case) -> str:
    """The audit of a case's inputs: per layer N in = N used + N listed (+ clipped), and the rows listed by code."""
    area, candidates = area_of(case)
    lines = [f"{case.path}: {case.title}", f"working CRS {area.crs}", ""]
    lines.append(f"{'layer':<14}{'in':>8}{'used':>8}{'listed':>8}{'clipped':>9}  file")
    for one in area.sources:
        lines.append(
            f"{one.role:<14}{one.rows_in:>8}{one.rows_used:>8}{one.rows_listed:>8}{one.rows_clipped:>9}  "
            f"{one.path}" + (f" [{one.layer}]" if one.layer else "")
        )
    n_listed = int((area.listed["layer"] == "meters").sum())
    lines += ["", f"meters: {area.n_meters_in} in = {area.n_meters} used + {n_listed} listed"]
    paths = {one.role: one.path for one in area.sources}
    lines += [f"  {line}" for line in _faults(area.listed, paths)]
    odd = area.qa.groupby(["layer", "code"]).size().reset_index(name="n")
    lines += [f"  {row['layer']} {row['code']}: {row['n']}, used; look at them" for row in odd.to_dict("records")]
    lines += [
        "",
        f"{len(area.transformers)} transformers, {len(candidates.sites)} candidate sites, "
        f"{len(candidates.cells)} operator cells",
    ]
    return "\n".join([*lines, *area.notes, *candidates.notes, *replication_notes(case), *line_notes(case)])


N_SHOWN = 3
"""Rows that are named of each fault."""


def _faults(listed: pd.DataFrame, paths: dict[str, str]) -> list[str]:
    """A line per layer, code and cause, with the first rows of each: ids, or where they stand in the file."""
    told = listed.assign(cause=listed["detail"].where(listed["code"] == "bad_value", ""))
    lines = []
    for (layer, code, cause), rows in told.groupby(["layer", "code", "cause"], sort=True):
        first = rows.sort_values("row", kind="stable").head(N_SHOWN)
        word = row_word(paths[str(layer)])
        names = ", ".join(str(name) or f"{word} {row}" for name, row in zip(first["id"], first["row"], strict=True))
        more = ", ..." if len(rows) > N_SHOWN else ""
        why = cause or CODES.get(str(code), "")
        lines.append(f"{layer} {code}: {len(rows)} row{'s' * (len(rows) > 1)} ({names}{more})" + f": {why}" * bool(why))
    return lines


def technologies_text(name: str | None, as_json: bool) -> str:
    """The list of technologies, or all parameters and tables of one."""
    known = all_technologies()
    if name is not None and name not in known:
        raise UserError(f"technologies {name}: unknown technology; {suggestion(name, known)}")
    if as_json:
        chosen = [name] if name else list(known)
        return json.dumps({one: _technology_record(known[one]) for one in chosen}, indent=1, default=str)
    if name is None:
        return "\n".join(f"{one:<12} {known[one].label}" for one in known)
    return _one_technology_text(known[name])


def _technology_record(cls: type[Any]) -> dict[str, Any]:
    technology = cls()
    return {
        "label": technology.label,
        "media": [one.value for one in technology.media],
        "siting": technology.siting.value,
        "influences": [one.value for one in technology.influences],
        "parameters": parameters_of(cls),
        "tables": {title: frame.to_dict("records") for title, frame in technology.tables().items()},
    }


def _one_technology_text(cls: type[Any]) -> str:
    lines = [f"{cls.name}: {cls.label}", ""]
    for row in parameters_of(cls):
        unit = "" if row["unit"] in ("-", "1") else f" {row['unit']}"
        lines.append(f"{row['name']} = {row['value']}{unit}  [{row['confidence']}]")
        lines.append(f"    {row['meaning']}. Source: {row['source']}")
    for title, frame in cls().tables().items():
        lines += ["", title, frame.to_string(index=False)]
    return "\n".join(lines)
