"""The walls of the house: imports run downwards, the packages are all listed, no circle."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("channels", "gis", "meters", "planner", "studies")
ALLOWED = {
    "channels": {"channels"},
    "gis": {"gis"},
    "meters": {"meters"},
    "planner": {"planner", "channels", "gis", "meters"},
    "studies": set(ROOMS),
}


def modules() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def imported(path: Path) -> set[tuple[str, ...]]:
    """Dotted targets, as tuples below the package, of every relative import of a file."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    targets = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            stem = (*base, *(node.module.split(".") if node.module else ()))
            targets |= {(*stem, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "amiplan":
            raise AssertionError(f"{path}: product code imports relatively, not from {node.module}")
    return targets


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_downwards(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    used = {target[0] for target in imported(path) if target and target[0] in ROOMS}
    assert used <= ALLOWED[room], f"{path.relative_to(ROOT)} imports {used - ALLOWED[room]}"


def test_no_import_circle() -> None:
    names = {path.relative_to(ROOT).with_suffix("").parts for path in modules()}
    edges = {
        path.relative_to(ROOT).with_suffix("").parts: {
            part for target in imported(path) for part in (target, target[:-1]) if part in names
        }
        for path in modules()
    }
    done: set[tuple[str, ...]] = set()

    def visit(name: tuple[str, ...], trail: tuple[tuple[str, ...], ...]) -> None:
        assert name not in trail, " > ".join("/".join(one) for one in (*trail, name))
        if name not in done:
            for target in edges[name]:
                visit(target, (*trail, name))
            done.add(name)

    for name in sorted(names):
        visit(name, ())


def test_every_package_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {path.parent for room in ROOMS for path in (ROOT / room).rglob("__init__.py")}
    found = {"amiplan", *(".".join(("amiplan", *folder.relative_to(ROOT).parts)) for folder in folders)}
    assert listed == found


def test_only_the_package_file_stands_in_the_root() -> None:
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py"]


def test_every_folder_with_code_is_a_package() -> None:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), f"{path.parent} has no __init__.py"


def test_run_reads_as_a_table_of_contents() -> None:
    tree = ast.parse((ROOT / "studies" / "run.py").read_text())
    [function] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "run"]
    body = function.body[1:]
    assert body[-1].end_lineno - body[0].lineno + 1 <= 12
