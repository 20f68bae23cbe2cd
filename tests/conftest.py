"""Options and settings of all tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

# The same examples in every run: a test must not pass or fail by the hour.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite tests/golden from what the program does")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: otherwise one core waits at the end for the other to finish a whole study."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
