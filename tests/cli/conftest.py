"""Whole commands through both doors, over servers that answer like the recorded Ollama."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.desk import DOORS, Desk, Ran
from tests.servers import replay
from tests.servers.ollama_replay import Replay

OURS = """\
llmstack: 1
stack: cli
services:
  ollama: {type: ollama, engine: process, port: PORT}
models:
  llama3: {service: ollama, source: "llama3:8b"}
  mistral: {service: ollama, source: "mistral:7b", aliases: [quick]}
"""
THEIRS = """\
llmstack: 1
stack: cli
services:
  far: {{type: ollama, url: "{url}"}}
models:
  near: {{service: far, source: "near:1b"}}
  crash: {{service: far, source: "crash:1b"}}
  nosuch: {{service: far, source: "nosuch"}}
"""


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    """The name of each door in turn."""
    return str(request.param)


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Desks of this test; what they still run is stopped in the end."""
    made: list[Desk] = []

    def make(inventory: str | None = OURS, **env: str) -> Desk:
        made.append(Desk(tmp_path / f"desk{len(made)}", inventory, **env))
        return made[-1]

    yield make
    for desk in made:
        desk.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    """A desk on which nothing runs yet."""
    return make_desk()


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk whose stack is up, for commands that only look."""
    desk = Desk(tmp_path_factory.mktemp("started"), OURS)
    try:
        desk.good("up")
        yield desk
    finally:
        desk.close()


@pytest.fixture
def look(started: Desk, door: str) -> Callable[..., Ran]:
    """Run a line on the started stack, through each door in turn."""
    return lambda *words, **more: started.run(*words, door=door, **more)


@pytest.fixture
def far() -> Iterator[Replay]:
    """An Ollama of somebody else, with two models pulled."""
    with replay.ollama() as server:
        for name in ("near:1b", "crash:1b"):
            server.state.keep(name, there=True)
        yield server


@pytest.fixture
def theirs(make_desk: Callable[..., Desk], far: Replay) -> Desk:
    """A desk that uses it."""
    return make_desk(THEIRS.format(url=far.url))
