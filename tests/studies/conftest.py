"""The made-up study, importable as a fixture although tests are not packages."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def _load() -> Any:
    name = "amiplan_made_study"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("made_study.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def make_study() -> Callable[..., Any]:
    """The builder itself: ``make_study(n_meters, buildings=False, ...)``."""
    return _load().made_study


@pytest.fixture(scope="session")
def study() -> Any:
    return _load().made_study()
