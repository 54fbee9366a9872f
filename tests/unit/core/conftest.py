from __future__ import annotations

from collections.abc import Iterator

import pytest

from llmstack.store import open_store
from llmstack.store.store import Store
from tests.unit.core.world import World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def store(world: World) -> Iterator[Store]:
    with open_store(":memory:", {}, now=world.clock.now) as store:
        yield store
