"""Containers of somebody else, and of a newer llmstack."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmstack.engines.labels import SCHEMA
from tests.desk import Desk
from tests.rig.host import RigHost

pytestmark = pytest.mark.docker
STACK = """\
llmstack: 1
stack: theirs
services: {box: {type: container, image: "other:1", port: 8080, adopt: {container: old-box}}}
"""


def test_one_that_had_to_be_killed_was_stopped_and_what_differs_is_told(tmp_path: Path, rig: RigHost) -> None:
    desk = Desk(tmp_path, STACK, DOCKER_HOST=rig.address)
    killed = "trap 'exit 137' TERM; sleep 3600 & wait"
    rig.api.start(rig.api.make({"Image": rig.busybox(), "Cmd": ["sh", "-c", killed], "HostConfig": {}}, "old-box"))
    desk.good("up")
    desk.good("down")
    assert rig.api.inspect_container("old-box")["State"]["ExitCode"] == 137
    (row,) = desk.good("status", "-o", "json").json["items"]
    assert (row["state"], row["reason"]) == ("stopped", "stopped")
    told = desk.good("up", "--check").out
    assert "adopted, stopped, exit 137" in told
    assert f"its image is {rig.busybox()}, not other:1 as in the inventory" in told
    assert "its port is not published, not 8080 as in the inventory" in told
    rig.api.start("old-box")
    rig.api.kill("old-box")
    (row,) = desk.good("status", "-o", "json").json["items"]
    assert row["state"] == "crashed"


def test_what_a_newer_llmstack_made_is_not_uninstalled(tmp_path: Path, rig: RigHost) -> None:
    inventory = "llmstack: 1\nstack: age\nservices:\n"
    service = f"  NAME: {{type: container, image: '{rig.busybox()}', args: [sleep, '3600']}}\n"
    desk = Desk(
        tmp_path, inventory + service.replace("NAME", "a") + service.replace("NAME", "b"), DOCKER_HOST=rig.address
    )
    desk.good("up", "--no-wait")
    labels = rig.api.inspect_container("llmstack-age-b")["Config"]["Labels"]
    rig.api.remove_container("llmstack-age-b", force=True)
    body = {"Image": rig.busybox(), "Cmd": ["sleep", "1"], "Labels": {**labels, SCHEMA: "99"}, "HostConfig": {}}
    rig.api.make(body, "llmstack-age-b")
    ran = desk.run("uninstall", "--yes")
    assert ran.code == 13
    assert "llmstack-age-b was written by a newer llmstack" in ran.err
    assert [row["Names"] for row in rig.api.containers(all=True)] == [["/llmstack-age-b"]]
    assert list(rig.networks().values()) == ["llmstack-age"]
