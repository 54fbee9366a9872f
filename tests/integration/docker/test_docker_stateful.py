"""The data of a real container: through replaces that succeed, fail, and are killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from llmstack.app import App
from llmstack.domain.event import Event
from llmstack.domain.outcome import RunResult
from llmstack.domain.selection import RunOptions, Selection, Settings
from tests.desk import free_port, get, until
from tests.rig.host import RigHost

pytestmark = pytest.mark.docker

INVENTORY = """\
llmstack: 1
stack: lab
all: {{hosts: {{localhost: {{docker_host: "{address}"}}}}}}
services:
  page:
    type: container
    image: "{image}"
    port: {port}
    mounts: ["data:/data"]
    stateful: true
    ready_timeout_s: 2
    options: {{container_port: 80, health_path: /seed}}
    args: [sh, -c, "{script}"]
"""
SERVE = "cd /data; cat seed || echo first > seed; echo {word} > word; exec httpd -f -p 80"
BREAK = "cd /data; echo broken > seed; echo {word} > word; exec {end}"
UP = """
import os, signal, sys
from llmstack.app import App
from llmstack.domain.selection import Selection, Settings
from llmstack.engines.docker import DockerEngine

class Deaf:
    def emit(self, event): pass

def dying(name, real):
    def call(*given):
        done = real(*given) if when == "after" else None
        os.kill(os.getpid(), signal.SIGKILL)
    return call

verb, when, inventory, store = sys.argv[1:]
setattr(DockerEngine, verb, dying(verb, getattr(DockerEngine, verb)))
App(Settings(inventory=inventory, store=store), Deaf()).up(Selection())
"""


class Deaf:
    def emit(self, event: Event) -> None:
        pass


class Lab:
    """A stack of one page whose document is a file of its volume."""

    def __init__(self, folder: Path, host: RigHost) -> None:
        self.host, self.image, self.port = host, host.busybox(), free_port()
        self.inventory, self.store = folder / "inventory.yaml", folder / "store.db"

    def want(self, script: str) -> None:
        text = INVENTORY.format(address=self.host.address, image=self.image, script=script, port=self.port)
        self.inventory.write_text(text)

    def up(self, *, orphans: bool = False) -> RunResult:
        app = App(Settings(inventory=str(self.inventory), store=str(self.store)), Deaf())
        try:
            return app.up(Selection(), RunOptions(orphans=orphans))
        finally:
            app.close()

    def killed(self, verb: str, when: str) -> None:
        words = [verb, when, str(self.inventory), str(self.store)]
        assert subprocess.run([sys.executable, "-c", UP, *words], check=False, timeout=60).returncode == -9

    def seen(self) -> tuple[str, str, list[str], list[str]]:
        """Both files as the server shows them, then every container and volume there is."""
        words = [
            until(lambda name=name: get(f"http://127.0.0.1:{self.port}/{name}").strip()) for name in ("seed", "word")
        ]
        names = [name for row in self.host.api.containers(all=True) for name in row["Names"]]
        volumes = [volume["Name"] for volume in self.host.api.volumes()["Volumes"]]
        return words[0], words[1], names, volumes


@pytest.fixture
def lab(tmp_path: Path, in_rig: RigHost) -> Lab:
    made = Lab(tmp_path, in_rig)
    made.want(SERVE.format(word="old"))
    assert made.up().exit_code == 0
    assert made.seen() == ("first", "old", ["/llmstack-lab-page"], ["data"])
    return made


def test_a_good_new_one_takes_the_data_over_and_a_broken_one_gives_them_back(lab: Lab) -> None:
    lab.want(SERVE.format(word="new"))
    assert lab.up().exit_code == 0
    assert lab.seen() == ("first", "new", ["/llmstack-lab-page"], ["data.1"])
    lab.want(BREAK.format(word="broken", end="sleep 1000"))
    (outcome,) = lab.up().outcomes
    assert (outcome.exit_code, "the old one is back and ready" in outcome.reason) == (6, True)
    assert lab.seen() == ("first", "new", ["/llmstack-lab-page"], ["data.1"])
    assert lab.host.api.images(name="llmstack/empty:1")


THIRD = """\
  third:
    type: container
    image: "{image}"
    mounts: ["data:/data:ro"]
    args: [sleep, "1000"]
"""


def test_a_renamed_one_and_one_that_shares_its_volume_have_the_data_that_there_are(lab: Lab) -> None:
    lab.want(SERVE.format(word="new"))
    assert lab.up().exit_code == 0
    text = lab.inventory.read_text().replace("  page:\n", "  page2:\n")
    lab.inventory.write_text(text)
    assert lab.up(orphans=True).exit_code == 0
    assert lab.seen() == ("first", "new", ["/llmstack-lab-page2"], ["data.1"])
    lab.inventory.write_text(text.replace("stateful: true", "stateful: false") + THIRD.format(image=lab.image))
    assert lab.up().exit_code == 0
    rows = lab.host.api.containers(all=True)
    assert {row["Names"][0]: row["Mounts"][0]["Name"] for row in rows} == {
        "/llmstack-lab-page2": "data.1",
        "/llmstack-lab-third": "data.1",
    }


@pytest.mark.parametrize(("verb", "when"), [("copy_volumes", "before"), ("discard", "before")])
def test_a_killed_run_is_finished_by_the_next(lab: Lab, verb: str, when: str) -> None:
    lab.want(SERVE.format(word="new"))
    lab.killed(verb, when)
    assert lab.up().exit_code == 0
    seed, word, names, (volume,) = lab.seen()
    assert (seed, word, names, volume.startswith("data.")) == ("first", "new", ["/llmstack-lab-page"], True)


def test_however_often_a_run_is_killed_there_is_one_copy_beside_the_data(lab: Lab) -> None:
    lab.want(SERVE.format(word="new"))
    for _ in range(3):
        lab.killed("copy_volumes", "after")
        assert sorted(volume["Name"] for volume in lab.host.api.volumes()["Volumes"]) == ["data", "data.1"]
    assert lab.up().exit_code == 0
    assert lab.seen() == ("first", "new", ["/llmstack-lab-page"], ["data.1"])


@pytest.mark.parametrize("end", ["sleep 1000", "false"])
def test_a_broken_one_of_a_killed_run_is_rolled_back_with_its_data_by_the_next(lab: Lab, end: str) -> None:
    lab.want(BREAK.format(word="broken", end=end))
    lab.killed("start", "after")
    until(lambda: b"broken" in b"".join(chunk for chunk in lab.host.api.get_archive("llmstack-lab-page", "/data")[0]))
    assert lab.up().exit_code == 6
    assert lab.seen() == ("first", "old", ["/llmstack-lab-page"], ["data"])


def test_a_stranger_that_mounts_the_volume_stands_in_the_way_of_a_copy(lab: Lab) -> None:
    api = lab.host.api
    binds = api.create_host_config(binds={"data": {"bind": "/theirs", "mode": "ro"}})
    api.create_container(lab.image, ["true"], volumes=["/theirs"], host_config=binds, name="nightly")
    lab.want(SERVE.format(word="new"))
    (outcome,) = lab.up().outcomes
    assert (outcome.exit_code, "volume data for itself, but nightly mounts it too" in outcome.reason) == (9, True)
    assert lab.seen()[:2] == ("first", "old")
    api.remove_container("nightly")
    assert lab.up().exit_code == 0
