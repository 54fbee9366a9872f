"""`llmstack up` is killed at every step of a whole change on the process engine; a plain `up` then ends it, and nothing
else of ours is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.desk import DEADLINE_S, Desk, free_port
from tests.fault import doomed
from tests.fault.conftest import Make

STAYS = "#!/bin/sh\nexec sleep 3600\n"
SERVICES = ("new1", "new2", "new3", "old", "gone")
WANTED = {
    f"llmstack-crash-{name}": turn for name, turn in (("new1", None), ("new2", None), ("new3", None), ("old", "2"))
}


class Scene:
    """A desk whose change can be begun again and again."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.ports = desk, {name: free_port() for name in SERVICES}
        self.store = Path(desk.env["LLMSTACK_STORE"])
        desk.program("ollama", STAYS)
        desk.write(self._inventory(old='env: {TURN: "1"}', gone="tags: []"))
        desk.good("up", "--no-wait")
        shutil.copy(self.store, desk.folder / "kept.db")
        self.specs = [one.spec for one in desk.engine.observe("crash") if one.spec]
        changed = {"old": 'env: {TURN: "2"}', "gone": "enabled: false"}
        desk.write(self._inventory(new1="tags: []", new2="depends_on: [old]", new3="tags: []", **changed))

    def _inventory(self, **services: str) -> str:
        lines = [
            f"  {name}: {{type: ollama, engine: process, port: {self.ports[name]}, {more}}}"
            for name, more in services.items()
        ]
        return "\n".join(["llmstack: 1", "stack: crash", "services:", *lines]) + "\n"

    def back(self) -> None:
        """As before the change."""
        self.desk.close()
        shutil.rmtree(self.desk.processes_root)
        engine = self.desk.engine
        for spec in self.specs:
            engine.create(spec)
            engine.start(spec.name)
        for path in self.store.parent.glob(f"{self.store.name}*"):
            path.unlink()
        shutil.copy(self.desk.folder / "kept.db", self.store)

    def up(self, nth: int) -> subprocess.CompletedProcess[str]:
        """An `up` that dies at its `nth` step; 0: none."""
        self.back()
        words = [sys.executable, doomed.__file__, str(nth), "up", "--no-wait"]
        where = {"cwd": self.desk.folder, "env": self.desk.env}
        return subprocess.run(words, **where, capture_output=True, text=True, timeout=DEADLINE_S, check=False)

    def steps(self) -> list[str]:
        """All steps of one that nobody kills."""
        ran = self.up(0)
        assert ran.returncode == 0, ran.stderr
        return ran.stderr.split("\n\n")[-1].splitlines()[1:]

    def wrong(self) -> list[str]:
        """What a plain `up` leaves that should be otherwise."""
        ran = self.desk.run("up", "--no-wait")
        if ran.code:
            return [f"up ended with {ran.code}: {ran.err}"]
        return [*self._instances(), *self._store()]

    def _instances(self) -> Iterator[str]:
        files = {path.name for path in self.desk.processes_root.iterdir()} - {".crash.lock"}
        yield from (f"{name} is missing" for name in WANTED.keys() - files)
        yield from (f"{name} is left" for name in files - WANTED.keys())
        for one in self.desk.engine.observe(None):
            if not one.running or (one.spec and one.spec.env.get("TURN")) != WANTED.get(one.container_name):
                yield f"{one.container_name} is {one.state}, {one.spec and one.spec.env}"
        processes = [process.name() for process in self.desk.servers()]
        if len(processes) != 2 * len(WANTED):  # a shim and a server each
            yield f"processes {processes}"

    def _store(self) -> Iterator[str]:
        ran = self.desk.run("sync", "--check", "-o", "json")
        if ran.code or ran.json["items"]:
            yield f"the store is wrong: {ran.out}"


@pytest.fixture
def scene(make_desk: Make, monkeypatch: pytest.MonkeyPatch) -> Scene:
    made = Scene(make_desk(LLMSTACK_FORKS="1"))
    monkeypatch.setenv("PATH", made.desk.env["PATH"])  # where this test starts what was there before
    return made


def trouble(scene: Scene, steps: list[str], points: Iterable[int]) -> list[str]:
    """What is wrong after a kill at each of these steps."""
    found = []
    for nth in points:
        ran = scene.up(nth)
        assert ran.returncode == -9, (nth, ran.stderr)
        found += [f"before step {nth}, {steps[nth - 1]}: {what}" for what in scene.wrong()]
    return found


def test_a_kill_at_each_kind_of_step_is_repaired(scene: Scene) -> None:
    steps = scene.steps()
    kinds = ("open labels.json.*", "os.rename llmstack-crash-old", "started", "os.remove labels.json")
    assert trouble(scene, steps, [*(steps.index(kind) + 1 for kind in kinds), len(steps)]) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_kill_at_every_step_is_repaired(scene: Scene) -> None:
    steps = scene.steps()
    assert len(steps) > 60, steps
    assert trouble(scene, steps, range(1, len(steps) + 1)) == []
