"""What the documentation tells people to type is typed here."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from amiplan.studies.cli import main

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))


def commands(page: Path) -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("amiplan ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


@pytest.mark.slow
def test_the_tutorial_runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = commands(ROOT / "docs" / "tutorial-coverage.md")
    assert len(typed) >= 7
    for arguments in typed:
        assert main(arguments) == 0, arguments
    assert "Report:" in capsys.readouterr().out


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [one for one in targets if not (page.parent / one).exists()]
    assert not missing


def test_nothing_speaks_of_places_that_do_not_ship() -> None:
    for page in [*PAGES, *ROOT.glob("*.md")]:
        text = page.read_text(encoding="utf-8")
        assert "../shared" not in text, page.name
        assert "/work/" not in text, page.name
