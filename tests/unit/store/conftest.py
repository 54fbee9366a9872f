"""Stores on disk, with a clock that the test moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmstack.domain.who import Who
from llmstack.store import open_store


class HandClock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return HandClock()


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "data" / "store.db"


@pytest.fixture
def store(path, clock):
    with open_store(str(path), {}, now=clock, who=lambda: Who("ann", "laptop")) as opened:
        yield opened
