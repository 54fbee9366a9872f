"""What others do to a container while somebody watches, on a real engine: told as what it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.desk import Desk, until
from tests.rig.host import RigHost

pytestmark = pytest.mark.docker
NAME = "llmstack-watched-web"
TEXT = """\
llmstack: 1
stack: watched
services:
  web: {{type: container, image: "{image}", args: [sleep, "3600"], options: {{container_port: 80}}}}
"""


@pytest.fixture
def desk(in_rig: RigHost, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, TEXT.format(image=in_rig.busybox()), DOCKER_HOST=in_rig.address)
    made.good("up")
    yield made
    made.run("down")


def status(desk: Desk) -> str:
    (row,) = desk.run("status", "-o", "json").json["items"]
    return str(row["reason"])


def check(desk: Desk) -> list[str]:
    return [one["reason"] for one in desk.run("sync", "--check", "-o", "json").json["items"]]


class Watching:
    """What is told meanwhile, by reasons."""

    def __init__(self, desk: Desk) -> None:
        self.process = desk.start("sync", "--watch", "-o", "ndjson")
        self.reasons: list[str] = []
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.reasons.append(json.loads(line).get("reason", ""))

    def tells(self, *reasons: str) -> None:
        """Wait for the last of them; nothing else was told, but for what an end looked like when it was seen alone."""
        until(lambda: self.reasons[-1:] == [reasons[-1]])
        assert set(self.reasons) <= set(reasons)
        self.reasons.clear()


@pytest.fixture
def watching(desk: Desk) -> Iterator[Watching]:
    one = Watching(desk)
    yield one
    one.process.terminate()
    one.process.communicate()


def test_what_others_do_is_told_as_what_it_was(desk: Desk, watching: Watching, in_rig: RigHost) -> None:
    api = in_rig.api
    api.pause(NAME)
    watching.tells("paused")
    assert status(desk) == "paused"
    api.unpause(NAME)
    watching.tells("runs")
    api.restart(NAME, timeout=0)
    watching.tells("stopped", "started")
    in_rig.run("kill", "-9", str(api.inspect_container(NAME)["State"]["Pid"]))
    watching.tells("died", "restarted")
    api.remove_container(NAME, force=True)
    watching.tells("stopped", "removed")
    assert (status(desk), check(desk)) == ("removed", ["wanted"])
    made = api.create_container(in_rig.busybox(), command=["sleep", "60"], name=NAME)
    api.start(made)
    assert status(desk) == "replaced"
    api.remove_container(NAME, force=True)
    desk.good("up")
    desk.good("down")
    assert status(desk) == "stopped"
