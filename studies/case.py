"""The case file: the one place that reads what users write. Every fault becomes one line that names the place."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, fields, is_dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..channels.cable import Cable
from ..channels.powerline.cables import cable_named
from ..channels.scenario import Scenario
from ..channels.technologies import all_technologies
from ..channels.technology import Technology
from ..gis.inputs import AreaInputs
from ..meters.services import check_services
from ..planner.exchanges import check_messages
from ..planner.settings import PlannerSettings
from ..planner.severities import in_severity
from .cables import CableInput, described_cables, own_cables
from .settings import UserError, described, fill, suggestion, touched_keys

SECTIONS = tuple(item.name for item in fields(PlannerSettings) if is_dataclass(getattr(PlannerSettings(), item.name)))
"""Sections of the case file that the planner is told by."""

DEFAULT_TECHNOLOGIES = ("g3_plc", "wisun_fan", "lorawan", "nb_iot")


@dataclass(frozen=True)
class Case:
    """One case file, read and checked.

    path : the file;  name : its folder's name;  title : first line of the report.
    digest : of the file's bytes.
    technologies : configured technologies in the order of the file.
    cables : the user's own cable types by name, as written and as resolved.
    touched : dotted names of the keys the user set.
    """

    path: Path
    name: str
    title: str
    digest: str
    area: AreaInputs
    settings: PlannerSettings
    technologies: tuple[Technology, ...]
    cables: dict[str, tuple[CableInput, Cable]]
    touched: frozenset[str]

    @property
    def folder(self) -> Path:
        """Paths in the case file are relative to this folder."""
        return self.path.parent

    def assumptions(self) -> list[dict[str, Any]]:
        """Every number the study rests on: value, unit, meaning, source, confidence and origin."""
        touched = set(self.touched)
        rows = described(self.area.rules, "area.rules", touched)
        rows += described_cables(self.cables, touched)
        for section in SECTIONS:
            rows += described(getattr(self.settings, section), section, touched)
        for table, row in self.settings.scenario.powerline.rows_in_use:
            rows += described(row, f"scenario.powerline.{table}.{row.name}", touched)
        for technology in self.technologies:
            rows += described(technology, f"technologies.{technology.name}", touched)
        return rows


def read_case(path: Path) -> Case:
    """The case of a TOML file.

    Raises UserError with one line for a missing or unreadable file, an unknown section or key, and a bad value.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such case file; `amiplan new DIR` writes one")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: not readable: {error.strerror or error}") from None
    try:
        table = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: not readable as TOML: {error}") from None
    return case_from(table, path, hashlib.blake2b(raw, digest_size=16).hexdigest())


def case_from(table: dict[str, Any], path: Path, digest: str) -> Case:
    """The case of a table that was read from ``path``; raises UserError as ``read_case``."""
    known = {*SECTIONS, "area", "cables", "technologies"}
    for key in table:
        if key not in known | {"title"}:
            raise UserError(f"{path} [{key}]: unknown section; {suggestion(key, known)}")
        if key != "title" and not isinstance(table[key], dict):
            raise UserError(f"{path} {key}: this is a section; write [{key}]")
    if not isinstance(table.get("title", ""), str):
        raise UserError(f"{path} title = {table['title']!r}: a text in quotes is needed")
    if "area" not in table:
        raise UserError(f"{path}: the section [area] is missing; it names your meters, or buildings and addresses")
    area = fill(AreaInputs, {"name": path.resolve().parent.name, **table["area"]}, f"{path} [area]")
    cables = own_cables(table.get("cables", {}), str(path))
    chosen = {name: fill(_section_class(name), table[name], f"{path} [{name}]") for name in SECTIONS if name in table}
    if "scenario" in chosen and "name" not in table["scenario"]:
        chosen["scenario"] = _named_by_severity(chosen["scenario"])
    settings = PlannerSettings(**chosen, cables=tuple(cable for _, cable in cables.values()))
    _check_level(settings, path)
    technologies = _technologies(table.get("technologies", {}), path)
    try:
        check_messages(technologies, settings.service, settings.session)
    except ValueError as error:
        raise UserError(f"{path} [technologies] {error}") from None
    return Case(
        path,
        path.resolve().parent.name,
        str(table.get("title", area.name)),
        digest,
        area,
        settings,
        technologies,
        cables,
        frozenset(touched_keys(table)),
    )


def _named_by_severity(scenario: Scenario) -> Scenario:
    """A scenario without a name of its own bears that of its severity, as the default one does."""
    return replace(scenario, name=scenario.powerline.severity)


def _section_class(name: str) -> type[Any]:
    return type(getattr(PlannerSettings(), name))


def _check_level(settings: PlannerSettings, path: Path) -> None:
    try:
        _ = settings.service.window_s, settings.backhaul.of(operator=False)
    except ValueError as error:
        raise UserError(f"{path} [service] or [backhaul]: {error}") from None
    try:
        check_services(settings.service.services, settings.session)
    except ValueError as error:
        raise UserError(f"{path} [session]: {error}") from None
    try:
        for name in settings.severities.names:
            in_severity(settings.scenario, name)
    except ValueError as error:
        raise UserError(f"{path} [severities] names: {error}") from None
    try:
        cable_named(settings.faults.tie_cable, settings.cables)
    except ValueError as error:
        raise UserError(f"{path} [faults] tie_cable: {error}") from None


def _technologies(table: dict[str, Any], path: Path) -> tuple[Technology, ...]:
    known = all_technologies()
    chosen = []
    for name in table or dict.fromkeys(DEFAULT_TECHNOLOGIES):
        if name not in known:
            raise UserError(f"{path} [technologies.{name}]: unknown technology; {suggestion(name, known)}")
        overrides = table.get(name, {})
        if not isinstance(overrides, dict):
            raise UserError(
                f"{path} [technologies] {name} = {overrides!r}: this is a section; write [technologies.{name}]"
            )
        chosen.append(fill(known[name], overrides, f"{path} [technologies.{name}]"))
    return tuple(chosen)


def embedded_cases() -> dict[str, Path]:
    """The cases that ship with the package: name to case file."""
    catalogue = Path(str(files("amiplan.studies") / "catalogue"))
    return {one.parent.name: one for one in sorted(catalogue.glob("*/case.toml"))}
