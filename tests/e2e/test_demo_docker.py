"""The real llama-server in a container, with a real model."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.desk import until
from tests.e2e import life
from tests.rig import images
from tests.rig.host import RigHost

pytestmark = [pytest.mark.model, pytest.mark.docker]
HARMLESS = ("exec_create", "exec_start", "exec_die", "top")


class DockerBench(life.Bench):
    """Containers of a host of the rig; commands and tests are in its network."""

    def __init__(self, folder: Path, rig: RigHost) -> None:
        super().__init__(folder, "docker", f", image: {rig.image(images.LLAMA)}", DOCKER_HOST=rig.address)
        self.rig = rig
        self._since = time.time()

    def kill(self, name: str) -> None:
        before = self.facts(name)["State"]
        rows = self.rig.api.top(f"llmstack-life-{name}", ps_args="-eo pid,comm")["Processes"]
        (pid,) = (pid for pid, program in rows if program == "llama-server")
        self.rig.run("kill", "-9", pid)
        until(lambda: self.facts(name)["State"]["Pid"] != before["Pid"])

    def restarts(self, name: str) -> int:
        return int(self.facts(name)["RestartCount"])

    def facts(self, name: str) -> dict[str, Any]:
        return dict(self.rig.api.inspect_container(f"llmstack-life-{name}"))

    def writes(self) -> list[str]:
        since, self._since = self._since, time.time()
        events = self.rig.api.events(since=since, until=self._since, decode=True)
        return [event["Action"] for event in events if event["Action"] not in HARMLESS]

    def left(self) -> list[str]:
        containers = [name for row in self.rig.api.containers(all=True) for name in row["Names"]]
        networks = [row["Name"] for row in self.rig.api.networks(filters={"type": "custom"})]
        programs = self.rig.run("ps", "-eo", "comm").split()
        return [*containers, *networks, *(name for name in programs if name.startswith("llama"))]


@pytest.fixture
def door() -> str:
    """One is enough here."""
    return "invoke"


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, rig_host: RigHost) -> Iterator[DockerBench]:
    with rig_host.inside():
        yield DockerBench(tmp_path_factory.mktemp("docker"), rig_host)
        rig_host.clean()


class TestLife(life.Life):
    """All of it."""


def test_weights_stay_when_all_else_is_gone(bench: DockerBench) -> None:
    bench.up().good("down")
    assert [row["Name"] for row in bench.rig.api.volumes()["Volumes"]] == ["llmstack-weights"]


def test_the_container_is_one_of_compose_s_too(bench: DockerBench) -> None:
    bench.up()
    labels = bench.facts("demo")["Config"]["Labels"]
    assert labels["com.docker.compose.project"] == "llmstack-life"
    assert labels["com.docker.compose.service"] == "demo"
