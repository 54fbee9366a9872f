"""`llmstack up` is killed before, within and after every write call of a whole change; a plain `up` then ends it, and
nothing else of ours is there."""

from __future__ import annotations

import contextlib
import shutil
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import get_args

import pytest

from llmstack.domain.instance import InstanceSpec
from llmstack.engines.docker import DockerEngine
from tests.desk import DEADLINE_S, Desk
from tests.fault.conftest import Make
from tests.rig.host import RigHost
from tests.rig.kinds import KINDS
from tests.rig.proxy import Call, Point, Proxy, When

pytestmark = pytest.mark.docker

STAYS = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"
BEFORE = """\
llmstack: 1
stack: crash
defaults: {{container: {{image: "{image}"}}}}
services:
  old: {{type: container, env: {{TURN: "1"}}}}
  gone: {{type: container}}
"""
AFTER = """\
llmstack: 1
stack: crash
defaults: {{container: {{image: "{image}"}}}}
services:
  new1: {{type: container}}
  new2: {{type: container, depends_on: [old]}}
  old: {{type: container, env: {{TURN: "2"}}}}
  gone: {{type: container, enabled: false}}
models:
  new3: {{type: llamacpp, image: "{image}", source: "file:m.gguf", port: PORT}}
"""
WANTED = {
    f"llmstack-crash-{name}": turn for name, turn in (("new1", None), ("new2", None), ("new3", None), ("old", "2"))
}
OURS = {"label": "io.llmstack.role"}


class Scene:
    """One host and one desk behind a proxy, which can be put back to how it was before the change."""

    def __init__(self, desk: Desk, rig: RigHost, proxy: Proxy) -> None:
        self.desk, self.rig, self.proxy = desk, rig, proxy
        self.image = rig.image_with("test/stays:1", rig.busybox(), {}, {"Entrypoint": ["sh", "-c", STAYS]})
        self.engine = DockerEngine("localhost", rig.address)
        self.store = Path(desk.env["LLMSTACK_STORE"])
        (desk.folder / "m.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(100_000))
        desk.write(BEFORE.format(image=self.image))
        desk.good("up", "--no-wait")
        shutil.copy(self.store, desk.folder / "kept.db")
        self.specs: tuple[InstanceSpec, ...] = tuple(one.spec for one in self.engine.observe("crash") if one.spec)
        desk.write(AFTER.format(image=self.image))

    def back(self) -> None:
        """As before the change."""
        for row in self.rig.api.containers(all=True):
            self.rig.api.remove_container(row["Id"], force=True, v=True)
        for volume in self.rig.api.volumes()["Volumes"] or []:
            self.rig.api.remove_volume(volume["Name"], force=True)
        for spec in self.specs:
            self.engine.create(spec)
            self.engine.start(spec.name)
        for path in self.store.parent.glob(f"{self.store.name}*"):
            path.unlink()
        shutil.copy(self.desk.folder / "kept.db", self.store)
        self.proxy.forget()

    def killed(self, point: Point) -> Call:
        """Kill an `up` there; returns the call at which it died."""
        self.back()
        with self.desk.start("up", "--no-wait") as process:
            self.proxy.kill(process.pid, point)
            _, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == -9, err
        assert self.proxy.killed_at
        return self.proxy.killed_at

    def wrong(self) -> list[str]:
        """What a plain `up` leaves that should be otherwise."""
        ran = self.desk.run("up", "--no-wait")
        if ran.code:
            return [f"up ended with {ran.code}: {ran.err}"]
        return [*self._containers(), *self._others(), *self._store()]

    def _containers(self) -> Iterator[str]:
        there = {row["Names"][0][1:]: row for row in self.rig.api.containers(all=True)}
        yield from (f"{name} is missing" for name in WANTED.keys() - there)
        yield from (f"{name} is left" for name in there.keys() - WANTED)
        for name, turn in WANTED.items():
            found = self.engine.inspect(name)
            if found and not (found.running and found.spec and found.spec.env.get("TURN") == turn):
                yield f"{name} is {found.state}, {found.spec and found.spec.env}"

    def _others(self) -> Iterator[str]:
        networks = [name for one in self.rig.api.networks() if (name := one["Name"]).startswith("llmstack")]
        volumes = [volume["Name"] for volume in self.rig.api.volumes()["Volumes"] or []]
        if networks != ["llmstack-crash"]:
            yield f"networks {networks}"
        if volumes != ["llmstack-weights"]:
            yield f"volumes {volumes}"

    def _store(self) -> Iterator[str]:
        ran = self.desk.run("sync", "--check", "-o", "json")
        if ran.code or ran.json["items"]:
            yield f"the store is wrong: {ran.out}"


@pytest.fixture(params=["docker-28.5"])
def scene(make_desk: Make, rig_of: Callable[[str], RigHost], request: pytest.FixtureRequest) -> Iterator[Scene]:
    rig = rig_of(request.param)
    with contextlib.closing(Proxy(rig.socket)) as proxy:
        staged = Scene(make_desk(DOCKER_HOST=proxy.address, LLMSTACK_FORKS="1"), rig, proxy)
        yield staged
        staged.engine.close()


def trouble(scene: Scene, points: Iterable[Point]) -> list[str]:
    """What is wrong after a kill at each of these points."""
    found = []
    for point in points:
        call = scene.killed(point)
        found += [f"{point}, {call}: {what}" for what in scene.wrong()]
    return found


@pytest.fixture
def writes(scene: Scene) -> list[Call]:
    """The write calls of an `up` that nobody kills."""
    scene.back()
    scene.desk.good("up", "--no-wait")
    return scene.proxy.writes


def test_a_kill_at_each_kind_of_write_is_repaired(scene: Scene, writes: list[Call]) -> None:
    rename, stop, start, put = (
        next(nth for nth, call in enumerate(writes, 1) if call.path.endswith(end))
        for end in ("old/rename", "old.prev/stop", "old/start", "/archive")
    )
    unlock = Point(len(writes), "before")
    points = [Point(rename, "after"), Point(stop, "within"), Point(start, "after"), Point(put, "after"), unlock]
    assert trouble(scene, points) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scene", list(KINDS), indirect=True)
def test_a_kill_at_every_write_is_repaired(scene: Scene, writes: list[Call]) -> None:
    every = range(1, len(writes) + 1)
    assert len(every) == 18, writes
    assert trouble(scene, [Point(nth, when) for nth in every for when in get_args(When)]) == []
