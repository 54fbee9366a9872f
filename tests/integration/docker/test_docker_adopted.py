"""A container of somebody else that is looked after."""

from __future__ import annotations

from pathlib import Path

import pytest

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
