"""`llmstack up` is killed before, within and after every write call of a whole change; a plain `up` then ends it, and
nothing else of ours is there."""

from __future__ import annotations

import contextlib
import shutil
import struct
import tarfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import get_args

import docker
import pytest

from llmstack.domain.instance import InstanceSpec
from llmstack.engines.docker import DockerEngine
from tests.desk import DEADLINE_S, Desk
from tests.fault.conftest import Make
from tests.rig.host import RigHost
from tests.rig.kinds import KINDS
from tests.rig.proxy import Call, Point, Proxy, When

pytestmark = pytest.mark.docker

STAYS = "[ -z $FAILS ] || exit 3; trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done"
BEFORE = """\
llmstack: 1
stack: crash
defaults: {{container: {{image: "{image}"}}}}
services:
  old: {{type: container, env: {{TURN: "1"}}, stateful: true, mounts: ["data:/data"]}}
  gone: {{type: container}}
"""
AFTER = """\
llmstack: 1
stack: crash
defaults: {{container: {{image: "{image}"}}}}
services:
  new1: {{type: container}}
  new2: {{type: container, depends_on: [old]}}
  old: {{type: container, env: {{TURN: "2"}}, stateful: true, mounts: ["data:/data"]}}
  gone: {{type: container, enabled: false}}
models:
  new3: {{type: llamacpp, image: "{image}", source: "file:m.gguf", port: PORT}}
"""
FAILS = BEFORE.replace('TURN: "1"', 'FAILS: "1"')
WANTED = {
    f"llmstack-crash-{name}": turn for name, turn in (("new1", None), ("new2", None), ("new3", None), ("old", "2"))
}
DIARY = tarfile.TarInfo("diary").tobuf() + bytes(2 * tarfile.BLOCKSIZE)


class Scene:
    """One host and one desk behind a proxy, which can be put back to how it was before the change."""

    def __init__(self, desk: Desk, rig: RigHost, proxy: Proxy) -> None:
        self.desk, self.rig, self.proxy = desk, rig, proxy
        self.image = rig.image_with("test/stays:1", rig.busybox(), {}, {"Entrypoint": ["sh", "-c", STAYS]})
        self.engine = DockerEngine("localhost", rig.address)
        self.store = Path(desk.env["LLMSTACK_STORE"])
        (desk.folder / "m.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 0, 0) + bytes(100_000))
        self.want(BEFORE)
        desk.good("up", "--no-wait")
        shutil.copy(self.store, desk.folder / "kept.db")
        self.specs: tuple[InstanceSpec, ...] = tuple(one.spec for one in self.engine.observe("crash") if one.spec)

    def want(self, inventory: str) -> None:
        self.desk.write(inventory.format(image=self.image))

    def back(self) -> None:
        """As before the change."""
        for row in self.rig.api.containers(all=True):
            self.rig.api.remove_container(row["Id"], force=True, v=True)
        for volume in self.rig.api.volumes()["Volumes"] or []:
            self.rig.api.remove_volume(volume["Name"], force=True)
        self.engine.observe("crash")  # a new look: the network may be gone
        for spec in self.specs:
            self.engine.create(spec)
            self.engine.start(spec.name)
        self.rig.api.put_archive("llmstack-crash-old", "/data", DIARY)
        for path in self.store.parent.glob(f"{self.store.name}*"):
            path.unlink()
        shutil.copy(self.desk.folder / "kept.db", self.store)
        self.proxy.forget()

    def writes(self, *words: str) -> list[Call]:
        """The write calls of a command that nobody kills."""
        self.back()
        self.desk.run(*words)
        return self.proxy.writes

    def killed(self, point: Point, *words: str) -> Call:
        """Kill a command there; returns the call at which it died."""
        self.back()
        with self.desk.start(*words) as process:
            self.proxy.kill(process.pid, point)
            _, err = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == -9, err
        assert self.proxy.killed_at
        return self.proxy.killed_at

    def wrong_after_up(self) -> Iterator[str]:
        """What a plain `up` leaves that should be otherwise."""
        self.want(AFTER)
        ran = self.desk.run("up", "--no-wait")
        if ran.code:
            yield f"up ended with {ran.code}: {ran.err}"
            return
        yield from (*self._containers(), *self._volumes(), *self._store())
        if self.networks() != ["llmstack-crash"]:
            yield f"networks {self.networks()}"

    def wrong_after_down(self) -> Iterator[str]:
        """What a plain `down` leaves."""
        self.desk.good("down")
        yield from (f"{row['Names']} is left" for row in self.rig.api.containers(all=True))
        yield from (f"network {name} is left" for name in self.networks())
        yield from self._store("wanted")

    def networks(self) -> list[str]:
        return [name for one in self.rig.api.networks() if (name := one["Name"]).startswith("llmstack")]

    def _containers(self) -> Iterator[str]:
        there = {row["Names"][0][1:]: row for row in self.rig.api.containers(all=True)}
        yield from (f"{name} is missing" for name in WANTED.keys() - there)
        yield from (f"{name} is left" for name in there.keys() - WANTED)
        for name, turn in WANTED.items():
            found = self.engine.inspect(name)
            if found and not (found.running and found.spec and found.spec.env.get("TURN") == turn):
                yield f"{name} is {found.state}, {found.spec and found.spec.env}"

    def _volumes(self) -> Iterator[str]:
        volumes = {volume["Name"] for volume in self.rig.api.volumes()["Volumes"] or []}
        mounts = self.rig.api.inspect_container("llmstack-crash-old")["Mounts"]
        if volumes != {"llmstack-weights", *(mount["Name"] for mount in mounts)}:
            yield f"volumes {volumes}"
        try:
            b"".join(self.rig.api.get_archive("llmstack-crash-old", "/data/diary")[0])
        except docker.errors.NotFound:
            yield "its data are lost"

    def _store(self, right: str = "runs") -> Iterator[str]:
        """What nobody waited for is noted as begun, and the first look finds that it runs."""
        ran = self.desk.run("sync", "--check", "-o", "json")
        if ran.code or [item for item in ran.json["items"] if item["reason"] != right]:
            yield f"the store is wrong: {ran.out}"


@pytest.fixture(params=["docker-28.5"])
def scene(make_desk: Make, rig_of: Callable[[str], RigHost], request: pytest.FixtureRequest) -> Iterator[Scene]:
    rig = rig_of(request.param)
    with contextlib.closing(Proxy(rig.socket)) as proxy:
        staged = Scene(make_desk(DOCKER_HOST=proxy.address, LLMSTACK_FORKS="1"), rig, proxy)
        yield staged
        staged.engine.close()


def trouble(scene: Scene, inventory: str, line: str, points: Iterable[Point]) -> list[str]:
    """What is wrong after a kill of this command at each of these points, and a run that nobody kills."""
    found, repaired = [], scene.wrong_after_down if line == "down" else scene.wrong_after_up
    for point in points:
        scene.want(inventory)
        call = scene.killed(point, *line.split())
        found += [f"{point}, {call}: {what}" for what in repaired()]
    return found


def every(scene: Scene, inventory: str, line: str, least: int) -> list[Point]:
    """Each point of a command that writes so often at least; Podman gets its volumes by calls of their own."""
    scene.want(inventory)
    writes = scene.writes(*line.split())
    assert len(writes) >= least, writes
    return [Point(nth, when) for nth in range(1, len(writes) + 1) for when in get_args(When)]


def test_a_kill_at_each_kind_of_write_is_repaired(scene: Scene) -> None:
    scene.want(AFTER)
    writes = scene.writes("up", "--no-wait")
    rename, stop, start, put = (
        max(nth for nth, call in enumerate(writes, 1) if call.path.endswith(end))
        for end in ("old/rename", "old.prev/stop", "old/start", "/archive")
    )
    unlock = Point(len(writes), "before")
    points = [Point(rename, "after"), Point(stop, "within"), Point(start, "after"), Point(put, "after"), unlock]
    assert trouble(scene, AFTER, "up --no-wait", points) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("scene", list(KINDS), indirect=True)
def test_a_kill_at_every_write_is_repaired(scene: Scene) -> None:
    """Create three, replace one with its data, remove one."""
    points = every(scene, AFTER, "up --no-wait", 20)
    assert trouble(scene, AFTER, "up --no-wait", points) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_kill_at_every_write_of_a_roll_back_is_repaired(scene: Scene) -> None:
    points = every(scene, FAILS, "up", 12)
    assert trouble(scene, FAILS, "up", points) == []


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_after_a_kill_at_every_write_of_a_down_another_leaves_nothing(scene: Scene) -> None:
    points = every(scene, BEFORE, "down", 7)
    assert trouble(scene, BEFORE, "down", points) == []
