"""A whole stack in memory: a real inventory and store over engines and servers of a world."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

from llmstack.app import App
from llmstack.domain.host import Host
from llmstack.domain.outcome import RunResult
from llmstack.domain.selection import Selection, Settings
from llmstack.errors import (
    ConfigError,
)
from llmstack.testing import FakeEngine
from tests.unit.core.world import World

ALL = Selection()

TEXT = """
llmstack: 1
stack: lab
services:
  ollama: {type: lazy, port: 11434}
  page: {type: page, port: 3000, depends_on: [ollama]}
models:
  demo: {type: loader, port: auto}
  llama3: {service: ollama}
"""


class Book:
    """Engines of the world; a process elsewhere than here cannot be."""

    def __init__(self, world: World) -> None:
        self.world, self.closed = world, False

    def get(self, host: Host, kind: str) -> FakeEngine:
        if kind == "process" and host.name != "localhost":
            raise ConfigError("the process engine runs on this machine only")
        return self.world.engine(host.name, kind)

    def close(self) -> None:
        self.closed = True


class Types:
    """A registry of the world's types."""

    def __init__(self, world: World) -> None:
        self.world = world

    def names(self) -> tuple[str, ...]:
        return tuple(self.world.types)

    def get(self, name: str) -> Any:
        return self.world.types.get(name)


class Bench:
    """A folder with an inventory, and apps over it: one per run, as on the command line."""

    def __init__(self, folder: Path) -> None:
        self.world, self.folder, self.apps = World(), folder, list[App]()
        self.inventory = str(folder / "inventory.yaml")
        self.write(TEXT)

    def write(self, text: str) -> None:
        Path(self.inventory).write_text(dedent(text))

    def app(self, **settings: Any) -> App:
        given = {"inventory": self.inventory, "store": str(self.folder / "store.db"), **settings}
        app = App(Settings(**given), self.world.ears, clock=self.world.clock)
        app.engines, app.registry = Book(self.world), Types(self.world)  # type: ignore[assignment]
        app.gpus = self.world.gpus
        self.apps.append(app)
        return app

    def writes(self) -> list[tuple[str, str]]:
        return [write for engine in self.world.engines.values() for write in engine.writes]

    def forget(self) -> None:
        for engine in self.world.engines.values():
            engine.calls.clear()


def recap(result: RunResult) -> dict[str, int]:
    return {status.value: count for counts in result.recap().values() for status, count in counts.items()}
