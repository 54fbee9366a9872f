"""A real model on the embedded engine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import DOORS, until
from tests.e2e import life

pytestmark = pytest.mark.model


class ProcessBench(life.Bench):
    """Processes of this machine."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "process")
        self._known: dict[str, tuple[int, int]] = {}

    def kill(self, name: str) -> None:
        there = self.desk.engine.inspect(f"llmstack-life-{name}")
        assert there is not None
        assert there.pid is not None
        os.kill(there.pid, signal.SIGKILL)
        until(lambda: self.desk.engine.inspect(there.container_name).pid != there.pid)  # type: ignore[union-attr]

    def restarts(self, name: str) -> int:
        there = self.desk.engine.inspect(f"llmstack-life-{name}")
        return (there.restarts or 0) if there else 0

    def writes(self) -> list[str]:
        files = [path for path in self.desk.processes_root.rglob("*") if path.is_file() and path.name != "log"]
        now = {str(path): (path.stat().st_mtime_ns, path.stat().st_ino) for path in files}
        changed = [name for name in now.keys() | self._known.keys() if now.get(name) != self._known.get(name)]
        self._known = now
        return changed

    def left(self) -> list[str]:
        folders = [path.name for path in self.desk.processes_root.iterdir() if not path.name.endswith(".lock")]
        return [*folders, *(str(process) for process in self.desk.servers())]


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> str:
    """The name of each door in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessBench]:
    made = ProcessBench(tmp_path_factory.mktemp("process"))
    yield made
    made.desk.close()


class TestLife(life.Life):
    """All of it."""


def test_a_port_that_is_auto_is_decided_once_and_kept(bench: ProcessBench) -> None:
    desk = bench.desk
    desk.write(
        "llmstack: 1\nstack: auto\nservices:\n  ollama: {type: ollama, engine: process, port: auto}\n", "auto.yaml"
    )
    first = desk.good("up", "-i", "auto.yaml", "-o", "json").item("ollama")
    assert first["changed"]
    second = desk.good("up", "-i", "auto.yaml", "-o", "json").item("ollama")
    assert (second["changed"], second["urls"]) == (False, first["urls"])
    desk.good("down", "-i", "auto.yaml")
