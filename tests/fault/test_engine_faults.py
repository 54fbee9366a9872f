"""Engines that are not there, refuse us, or die while they work."""

from __future__ import annotations

import ctypes
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.desk import until
from tests.fault.conftest import Make
from tests.rig.host import RigHost
from tests.servers import replay

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
WEB = """\
llmstack: 1
stack: engines
services:
  web: {{type: container, image: "{image}", args: {args}, port: PORT, options: {{container_port: 80}}}}
"""
SERVES = '[sh, -c, "mkdir -p /w; echo ok > /w/index.html; exec httpd -f -p 80 -h /w"]'
BOTH = """\
llmstack: 1
stack: engines
services:
  web: {{type: container, image: "none:1", port: 8099}}
  far: {{type: ollama, url: "{url}"}}
models:
  near: {{service: far, source: "near:1b"}}
"""


@pytest.mark.parametrize("task", ["up", "status", "health", "logs"])
def test_without_docker_every_task_says_so_and_how_to_start_it(make_desk: Make, task: str) -> None:
    desk = make_desk(WEB.format(image="none:1", args="[]"), DOCKER_HOST="unix:///nowhere/docker.sock")
    ran = desk.run(task)
    assert ran.code == 4, ran.out
    assert "the Docker engine of localhost" in ran.err + ran.out
    assert "does not run" in ran.err + ran.out
    assert "systemctl start docker" in ran.err + ran.out


def test_a_daemon_that_is_dead_behind_its_socket_is_told(make_desk: Make, tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as once:
        once.bind(str(path))
    ran = make_desk(WEB.format(image="none:1", args="[]"), DOCKER_HOST=f"unix://{path}").run("up")
    assert ran.code == 4
    assert "does not run" in ran.err


def no_rights_of_root() -> None:
    """Files that root may not open stay closed to root, as for anybody else; called in the child."""
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


def test_a_socket_that_is_forbidden_is_told_with_the_way_in(make_desk: Make, tmp_path: Path) -> None:
    path = tmp_path / "docker.sock"
    desk = make_desk(WEB.format(image="none:1", args="[]"), DOCKER_HOST=f"unix://{path}")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        path.chmod(0)
        ran = desk.run("up", preexec_fn=no_rights_of_root if os.geteuid() == 0 else None)
    assert ran.code == 4, ran.err
    assert "refuses us: permission denied" in ran.err
    assert "usermod -aG docker" in ran.err


def test_what_needs_no_docker_goes_on_without_it(make_desk: Make) -> None:
    with replay.ollama() as far:
        desk = make_desk(BOTH.format(url=far.url), DOCKER_HOST="unix:///nowhere/docker.sock")
        ran = desk.run("up", "-o", "json")
        assert ran.code == 4
        assert ran.item("near")["status"] == "changed"
        assert ran.item("web")["status"] == "unreachable"
        assert desk.good("up", "-m", "near").recap.startswith("localhost : ok=2 changed=0")
        rows = desk.run("status", "-o", "json")
        assert rows.code == 4
        assert rows.item("near")["state"] == "ready"


@pytest.mark.docker
def test_an_engine_that_dies_in_the_middle_of_up_is_told_and_the_next_up_repairs(
    make_desk: Make, throwaway_host: Callable[..., RigHost]
) -> None:
    host = throwaway_host()
    with host.inside():
        desk = make_desk(WEB.format(image=host.busybox(), args="[sleep, '3600']"), DOCKER_HOST=host.address)
        with desk.start("up", "-o", "json") as process:
            until(host.api.containers)
            host.kill_engine()
            out, err = process.communicate(timeout=100)
        assert process.returncode == 4, err
        assert json.loads(out)["errors"][0]["class"] == "unreachable"
        assert desk.run("status").code == 4
        host.start_engine()
        desk.write(WEB.format(image=host.busybox(), args=SERVES))
        desk.good("up")
        assert len(host.api.containers(all=True)) == 1
        desk.good("health")
        desk.good("down")
        assert host.api.containers(all=True) == []


@pytest.mark.docker
def test_an_engine_that_is_frozen_is_given_up_in_finite_time(
    make_desk: Make, throwaway_host: Callable[..., RigHost]
) -> None:
    host = throwaway_host()
    desk = make_desk(WEB.format(image="none:1", args="[]"), DOCKER_HOST=host.address)
    host.pause()
    try:
        ran = desk.run("status")
    finally:
        host.unpause()
    assert ran.code == 4
    assert "did not answer in time" in ran.err
