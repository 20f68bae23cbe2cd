"""Every TOML block of the documentation is a piece of a case file that is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from amiplan.studies.case import embedded_cases, read_case

PAGES = sorted((Path(__file__).resolve().parents[1] / "docs").glob("*.md"))
BLOCKS = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_printed_piece_of_a_case_is_read(block: str, tmp_path: Path) -> None:
    embedded = embedded_cases()["schutterwald"].read_text(encoding="utf-8")
    area = embedded.partition("[technologies")[0]
    (tmp_path / "case.toml").write_text(f"{area}\n{block}", encoding="utf-8")
    assert read_case(tmp_path / "case.toml").technologies
