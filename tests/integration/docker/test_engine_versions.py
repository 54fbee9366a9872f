"""The life of a small stack on every kind of engine that is supported, by whole commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.desk import Desk, free_port, get, until
from tests.rig.host import RigHost
from tests.rig.kinds import KINDS

pytestmark = pytest.mark.docker
SHELF = "echo page >> /w/index.html; exec httpd -f -p 80 -h /w"
COPY = "mkdir /w; wget -q -O /w/index.html http://shelf/; exec httpd -f -p 80 -h /w"
STACK = """\
llmstack: 1
stack: ages
defaults: {{all: {{image: "{image}", restart: "no", ready_timeout_s: 10, options: {{container_port: 80}}}}}}
services:
  shelf: {{type: container, port: PORT, args: [sh, -c, "{shelf}"], mounts: ["books:/w"], stateful: true{more}}}
  web: {{type: container, port: {web}, args: [sh, -c, "{copy}"], depends_on: [shelf]}}
"""
RECAP = "localhost : ok=%d changed=%d unreachable=0 failed=%d unhealthy=0 skipped=0"


class Life:
    """A desk, and the host that its commands speak to."""

    def __init__(self, folder: Path, host: RigHost) -> None:
        self.host = host
        self.desk = Desk(folder, DOCKER_HOST=host.address)
        self.web = free_port()
        self.write()

    def write(self, shelf: str = SHELF, more: str = "") -> None:
        """Want this."""
        image = self.host.busybox()
        self.desk.write(STACK.format(image=image, shelf=shelf, copy=COPY, web=self.web, more=more))

    def running(self) -> list[str]:
        """Names of what runs on the host."""
        return sorted(name for row in self.host.api.containers() for name in row["Names"])

    def kill(self, name: str) -> None:
        """`kill -9` of a container's first process."""
        self.host.run("kill", "-9", str(self.host.api.inspect_container(name)["State"]["Pid"]))
        until(lambda: not self.host.api.inspect_container(name)["State"]["Running"])


@pytest.fixture(params=KINDS)
def life(request: pytest.FixtureRequest, rig_of: Callable[[str], RigHost], tmp_path: Path) -> Iterator[Life]:
    host = rig_of(request.param)
    with host.inside():
        yield Life(tmp_path, host)


BOTH = ["/llmstack-ages-shelf", "/llmstack-ages-web"]


def test_a_stack_comes_up_changes_falls_back_and_goes(life: Life) -> None:
    desk, host = life.desk, life.host
    assert desk.good("up").recap == RECAP % (0, 2, 0)
    assert get(f"http://127.0.0.1:{life.web}/") == "page\n"
    assert desk.good("up").recap == RECAP % (2, 0, 0)
    life.write(more=", env: {COLOUR: red}")
    assert "1 replace, 1 keep" in desk.good("up", "--check").out
    assert desk.good("up").recap == RECAP % (1, 1, 0)
    assert get(f"http://127.0.0.1:{desk.port}/") == "page\npage\n"
    before = host.api.inspect_container("llmstack-ages-shelf")["Id"]
    life.write(shelf="exit 4")
    ran = desk.run("up", "-o", "json")
    assert ran.code == 6, ran.err
    assert "the old one is back and ready" in ran.item("shelf")["error"]["message"]
    assert host.api.inspect_container("llmstack-ages-shelf")["Id"] == before
    assert life.running() == BOTH
    desk.good("down")
    assert host.api.containers(all=True) == []
    assert host.networks() == {}
    (volume,) = host.api.volumes()["Volumes"]
    assert (volume["Name"], volume["Labels"]["io.llmstack.volume"]) == ("books.1", "shelf")
    desk.good("uninstall", "--all", "--yes")
    assert host.api.volumes()["Volumes"] in (None, [])
    assert [tag for image in host.api.images() for tag in image["RepoTags"] if "llmstack" in tag] == []


def test_a_killed_container_is_seen_and_repaired(life: Life) -> None:
    life.desk.good("up", "-s", "shelf")
    life.kill("llmstack-ages-shelf")
    (row,) = life.desk.good("status", "-s", "shelf", "-o", "json").json["items"]
    assert (row["state"], row["exit_code"]) == ("crashed", 137)
    assert life.desk.run("health", "-s", "shelf").code == 6
    assert life.desk.good("up", "-s", "shelf").recap == RECAP % (0, 1, 0)
    life.desk.good("health", "-s", "shelf")


def test_what_is_paused_or_has_lost_its_network_is_told_and_repaired(life: Life) -> None:
    desk, api, web = life.desk, life.host.api, "llmstack-ages-web"
    desk.good("up")
    first = api.inspect_container(web)["Id"]
    api.pause(web)
    assert "start  paused" in desk.good("up", "--check").out
    assert desk.run("health", "-s", "web").code == 6
    assert desk.good("up").recap == RECAP % (1, 1, 0)
    assert api.inspect_container(web)["Id"] == first
    api.pause(web)
    assert desk.good("down", "-s", "web", "-o", "names").out == "web@localhost\n"
    desk.good("up")
    api.disconnect_container_from_network(web, "llmstack-ages")
    listed = {name: row for row in api.containers() for name in row["Names"]}
    if listed[f"/{web}"]["NetworkSettings"]["Networks"] is None:
        assert api.podman, listed[f"/{web}"]
        return  # its list does not tell, and it removes no network that a container knows
    assert "replace  without its network" in desk.good("up", "--check").out
    assert "without its network" in desk.good("status", "-s", "web").out
    assert desk.run("health", "-s", "web").code == 6
    assert desk.good("up").recap == RECAP % (1, 1, 0)
    for name in BOTH:
        api.stop(name.strip("/"), 1)
    api.remove_network("llmstack-ages")
    desk.good("up")
    # A line for each start of the shelf: made anew, it still has what the first one wrote.
    assert get(f"http://127.0.0.1:{life.web}/") == "page\npage\n"


def test_two_runs_at_once_make_one_stack(life: Life) -> None:
    racers = [life.desk.start("up", "-s", "shelf") for _ in range(2)]
    ends = [(racer.communicate(timeout=100)[1], racer.returncode) for racer in racers]
    assert sorted(code for _, code in ends) in ([0, 0], [0, 7]), ends
    assert all("is locked by" in err for err, code in ends if code == 7)
    assert life.running() == BOTH[:1]
    assert len(life.host.api.containers(all=True)) == 1


def test_a_gpu_that_is_not_there_is_told(life: Life) -> None:
    life.write(more=", resources: {gpus: all}")
    ran = life.desk.run("up", "-s", "shelf")
    assert ran.code == 9, ran.err
    assert "the engine cannot give it a GPU" in ran.err
    assert life.running() == []
