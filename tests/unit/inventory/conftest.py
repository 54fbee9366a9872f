from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from llmstack.domain.position import Problem
from llmstack.domain.service import Inventory, Placement
from llmstack.errors import InventoryError
from llmstack.inventory import load

Loaded = Callable[..., Inventory]
Mistaken = Callable[..., list[Problem]]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    """Loads a text as the inventory of an empty folder."""

    def loaded(text: str, environ: Mapping[str, str] | None = None, *, name: str = "inventory.yaml") -> Inventory:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return load(None, environ=environ or {}, cwd=str(tmp_path))

    return loaded


@pytest.fixture
def mistaken(loaded: Loaded) -> Mistaken:
    """The mistakes of a text that cannot be loaded."""

    def mistaken(text: str, environ: Mapping[str, str] | None = None, *, name: str = "inventory.yaml") -> list[Problem]:
        with pytest.raises(InventoryError) as caught:
            loaded(text, environ, name=name)
        return list(caught.value.problems)

    return mistaken


@pytest.fixture
def placed(loaded: Loaded) -> Callable[..., Placement]:
    """The only placement of a text."""

    def placed(text: str, environ: Mapping[str, str] | None = None) -> Placement:
        (placement,) = loaded(text, environ).placements
        return placement

    return placed
