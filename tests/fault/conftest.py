"""Commands that meet trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.desk import Desk

Make = Callable[..., Desk]


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Make]:
    """Desks of this test; what they still run is stopped in the end."""
    made: list[Desk] = []

    def make(inventory: str | None = None, **env: str) -> Desk:
        made.append(Desk(tmp_path / f"desk{len(made)}", inventory, **env))
        return made[-1]

    yield make
    for desk in made:
        desk.close()
