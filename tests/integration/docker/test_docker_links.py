"""Links between services, tried from inside the dependant's container on a real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.desk import Desk, Ran, free_port
from tests.rig import images
from tests.rig.host import RigHost

pytestmark = pytest.mark.docker
INVENTORY = """\
llmstack: 1
stack: links
services:
  page:
    type: container
    image: {busybox}
    port: {port}
    args: [sh, -c, "mkdir /w; echo hello > /w/index.html; exec httpd -f -p {port} -h /w"]
  wgets: {{type: container, image: {busybox}, args: [sleep, "3600"], depends_on: [page]}}
  pythons: {{type: container, image: {python}, args: ["-c", "import time; time.sleep(3600)"], depends_on: [page]}}
"""
USERS = ("wgets", "pythons")


@pytest.fixture
def desk(in_rig: RigHost, tmp_path: Path) -> Desk:
    python, port = in_rig.image(images.PYTHON), free_port()
    text = INVENTORY.format(busybox=in_rig.busybox(), python=python, port=port)
    made = Desk(tmp_path, text, DOCKER_HOST=in_rig.address)
    made.good("up")
    return made


def links(ran: Ran) -> dict[str, tuple[bool | None, str]]:
    """How each user's link is, and its words but for the address."""
    found = {name: ran.rungs(name)["linked"] for name in USERS}
    return {name: (rung["ok"], rung["detail"].partition(": ")[2]) for name, rung in found.items()}


def test_a_link_is_proved_from_inside_and_a_broken_one_told(desk: Desk, in_rig: RigHost) -> None:
    proved = desk.good("health", "-o", "json")
    assert links(proved) == dict.fromkeys(USERS, (True, ""))
    assert all(proved.rungs(name)["linked"]["ms"] > 0 for name in USERS)
    (network,) = in_rig.api.networks(names=["llmstack-links"])
    in_rig.api.disconnect_container_from_network("llmstack-links-page", network["Id"])
    in_rig.api.connect_container_to_network("llmstack-links-page", network["Id"])
    nameless = desk.run("health", "-o", "json")
    assert (nameless.code, nameless.item("page")["status"], nameless.item("wgets")["status"]) == (6, "ok", "unhealthy")
    told = links(nameless)
    assert [ok for ok, _ in told.values()] == [False, False]
    assert "bad address" in told["wgets"][1]
    assert "ame" in told["pythons"][1]
    desk.good("restart", "--service", "page")


def test_a_dependency_that_is_stopped_breaks_the_link_too(desk: Desk, in_rig: RigHost) -> None:
    in_rig.api.stop("llmstack-links-page", timeout=0)
    ran = desk.run("health", "-o", "json")
    assert (ran.code, [ok for ok, _ in links(ran).values()]) == (6, [False, False])
    assert ran.item("wgets")["why"]["do"] == "llmstack up --service wgets"
    desk.good("up")
    assert links(desk.good("health", "-o", "json")) == dict.fromkeys(USERS, (True, ""))


def test_an_image_that_has_nothing_to_try_it_with_is_unknown(in_rig: RigHost, tmp_path: Path) -> None:
    bare = {"Entrypoint": ["/bin/sleep"], "Env": ["PATH=/none"]}
    image = in_rig.image_with("test/bare:1", in_rig.busybox(), {}, bare)
    text = INVENTORY.format(busybox=in_rig.busybox(), python=image, port=free_port())
    text = text.replace('["-c", "import time; time.sleep(3600)"]', '["3600"]')
    desk = Desk(tmp_path, text, DOCKER_HOST=in_rig.address)
    desk.good("up")
    ran = desk.good("health", "-o", "json")
    assert links(ran)["pythons"] == (None, "unknown, its image has nothing to try it with")
