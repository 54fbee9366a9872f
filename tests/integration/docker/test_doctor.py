"""A checkup on real engines."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path

import pytest

from llmstack.engines.docker import DockerEngine
from tests.desk import DOORS, Desk, free_port
from tests.rig.host import RigHost

pytestmark = pytest.mark.docker
TEXT = """\
llmstack: 1
stack: doctor
services:
  web: {{type: container, image: "{image}", port: {port}, args: [httpd, -f, -p, "80"], options: {{container_port: 80}}}}
  far: {{type: container, image: "nowhere.invalid/far:1"}}
"""


def test_an_engine_tells_its_facts(rig_host: RigHost) -> None:
    with contextlib.closing(DockerEngine("rig", rig_host.address)) as engine:
        facts = engine.facts()
    assert facts.name == engine.describe()
    assert facts.api_version == "1.51"
    assert facts.now is not None
    assert abs(facts.now - time.time()) < 5
    assert (facts.gpu, facts.rootless, facts.proxy) == (None, False, "")  # a host of its own: who knows its programs
    assert facts.folder == "/var/lib/docker"


@pytest.mark.parametrize("door", DOORS)
def test_a_taken_port_and_a_registry_that_is_not_found_are_told_before_anything_is_tried(
    in_rig: RigHost, tmp_path: Path, door: str
) -> None:
    port = free_port()
    desk = Desk(tmp_path, TEXT.format(image=in_rig.busybox(), port=port), DOCKER_HOST=in_rig.address)
    with socket.create_server(("127.0.0.1", port)):
        ran = desk.run("doctor", "-o", "json", door=door)
    found = {(item["check"], item["target"]): item for item in ran.json["items"]}
    assert found["start", "web@localhost"]["verdict"] == "failed"
    assert str(port) in found["start", "web@localhost"]["summary"]
    assert "nowhere.invalid" in found["dns", "localhost"]["summary"]
    assert ran.code == ran.json["rc"] == 9
    assert in_rig.api.containers(all=True) == []
    assert f"✓ ports localhost  {port} free" in desk.good("doctor", door=door).out
