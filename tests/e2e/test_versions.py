"""Newer images of the same name from a real registry: taken by `update`, rolled back when they do not get ready, and
given up again by `rollback`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk
from tests.rig.host import RigHost
from tests.rig.registry import Registry

pytestmark = pytest.mark.docker
PORT = 5057
INVENTORY = """\
llmstack: 1
stack: keep
services:
  page:
    type: container
    image: "127.0.0.1:{registry}/page:1"
    port: PORT
    options: {{container_port: 80}}
    args: [sh, -c, "test -s /noise && mkdir -p /w && exec httpd -f -p 80 -h /w"]
"""


@pytest.fixture
def registry(in_rig: RigHost) -> Iterator[Registry]:
    made = Registry(in_rig, PORT)
    yield made
    made.signal("KILL")


@pytest.fixture
def desk(tmp_path: Path, in_rig: RigHost, registry: Registry) -> Iterator[Desk]:
    registry.push("page:1", 1)
    made = Desk(tmp_path / "desk", INVENTORY.format(registry=PORT), DOCKER_HOST=in_rig.address)
    made.good("up")
    yield made
    made.close()


def image(rig: RigHost) -> str:
    (row,) = rig.api.containers(all=True)
    return str(row["ImageID"])


def test_an_image_is_updated_and_rolled_back(desk: Desk, in_rig: RigHost, registry: Registry) -> None:
    first = image(in_rig)
    assert "1 looked at: 1 keep" in desk.good("update", "--check").out
    assert desk.run("rollback", "-s", "page").code == 9
    registry.push("page:1", 1)
    assert "a newer image" in desk.good("update", "--check").out
    assert image(in_rig) == first
    desk.good("update")
    second = image(in_rig)
    assert second != first
    assert "1 looked at: 1 keep" in desk.good("update", "--check").out
    desk.good("rollback", "-s", "page")
    assert image(in_rig) == first
    assert "1 looked at: 1 keep" in desk.good("up", "--check").out
    assert "a newer image" in desk.good("update", "--check").out
    desk.good("down")
    desk.good("up")
    assert image(in_rig) == first
    desk.good("update")
    assert image(in_rig) == second


def test_a_newer_image_that_does_not_get_ready_is_never_kept(desk: Desk, in_rig: RigHost, registry: Registry) -> None:
    first = image(in_rig)
    registry.push("page:1", 0)
    ran = desk.run("update")
    assert ran.code == 6, ran.err
    assert "old one is back and ready" in ran.err, ran.err
    assert image(in_rig) == first
    gone = desk.run("rollback", "-s", "page")
    assert (gone.code, "no older image that it was proved ready with" in gone.err) == (9, True)


def test_a_registry_that_does_not_answer_leaves_things_as_they_are(
    desk: Desk, in_rig: RigHost, registry: Registry
) -> None:
    registry.signal("KILL")
    told = desk.good("update", "--check").out
    assert "1 looked at: 1 keep" in told
    assert "whether its registry has a newer image is unknown" in " ".join(told.split())
    assert len(in_rig.api.containers()) == 1
