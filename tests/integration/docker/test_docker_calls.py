"""What commands ask of an engine, counted at its socket: who only looks writes nothing, and a look is one list call."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk
from tests.rig.host import RigHost
from tests.rig.proxy import Proxy

pytestmark = pytest.mark.docker

THREE = """\
llmstack: 1
stack: calls
defaults: {{container: {{image: "{image}", args: [sleep, "3600"]}}}}
services:
  a: {{type: container}}
  b: {{type: container, depends_on: [a], env: {{TURN: "1"}}}}
  c: {{type: container}}
"""
LOOKS = (
    "up --check",
    "up --check --diff -o json",
    "down --check",
    "down --check --orphans",
    "restart --check",
    "update --check",
    "pull --check",
    "status",
    "health",
    "sync --check",
    "sync",
    "history",
)


@pytest.fixture
def proxy(rig: RigHost) -> Iterator[Proxy]:
    with contextlib.closing(Proxy(rig.socket)) as relay:
        yield relay


@pytest.fixture
def desk(tmp_path: Path, rig: RigHost, proxy: Proxy) -> Desk:
    return Desk(tmp_path / "desk", THREE.format(image=rig.busybox()), DOCKER_HOST=proxy.address)


def looked(desk: Desk, proxy: Proxy, line: str) -> Counter[str]:
    """The calls of a command that must go well and write nothing."""
    proxy.forget()
    desk.good(*line.split())
    assert proxy.writes == [], line
    return Counter(map(str, proxy.calls))


def test_who_only_looks_writes_nothing_whatever_is_there(desk: Desk, proxy: Proxy, rig: RigHost) -> None:
    for line in ("up --check", "down --check", "status"):
        looked(desk, proxy, line)
    desk.good("up", "--no-wait")
    for line in LOOKS:
        calls = looked(desk, proxy, line)
        assert calls["GET /containers/json"] <= (2 if line == "status" else 1), (line, calls)  # one for its figures
    desk.write(THREE.format(image=rig.busybox()).replace('"1"', '"2"').replace("c:", "d:"))
    for line in ("up --check --diff", "down --check --orphans", "status", "sync --check"):
        looked(desk, proxy, line)
    assert len(rig.api.containers()) == 3


def theirs(rig: RigHost, name: str, port: int) -> None:
    """A container of somebody else, with a published port."""
    body = {
        "Image": rig.busybox(),
        "Cmd": ["sleep", "3600"],
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}},
    }
    rig.api.start(rig.api.make(body, name))


def test_who_has_a_name_or_port_is_told_before_anything_is_done(desk: Desk, proxy: Proxy, rig: RigHost) -> None:
    desk.write(THREE.format(image=rig.busybox()).replace("a: {type: container}", "a: {type: container, port: PORT}"))
    theirs(rig, "llmstack-calls-c", desk.port)
    proxy.forget()
    checked = desk.run("up", "--check")
    assert (checked.code, proxy.writes, len(rig.api.containers())) == (9, [], 1)
    assert Counter(map(str, proxy.calls))["GET /containers/json"] == 2  # ours, and once all of them
    for told in (checked.out, desk.run("up", "--no-wait").err):
        assert f"the name llmstack-calls-c is taken by a container of somebody else (image {rig.busybox()})" in told
        assert "docker rm -f llmstack-calls-c" in told
        assert "adopt: {container: llmstack-calls-c}" in told
        assert f"port {desk.port} on 127.0.0.1 is taken by llmstack-calls-c" in told
    desk.write("llmstack: 1\nstack: calls\nservices: {c: {type: container, adopt: {container: llmstack-calls-c}}}\n")
    desk.good("up", "--check")


def test_what_goes_is_stopped_and_removed_and_its_removal_is_the_proof(desk: Desk, proxy: Proxy, rig: RigHost) -> None:
    desk.good("up", "--no-wait")
    proxy.forget()
    desk.good("down")
    calls = Counter(map(str, proxy.calls))
    for name in "abc":
        assert calls[f"POST /containers/llmstack-calls-{name}/stop"] == 1
        assert calls[f"DELETE /containers/llmstack-calls-{name}"] == 1
        assert calls[f"GET /containers/llmstack-calls-{name}/json"] == 0
    assert calls["GET /containers/json"] == 3  # before and under the lock, and what stays in the network
    assert rig.api.containers(all=True) == []


def test_an_up_with_nothing_to_do_is_one_list_call(desk: Desk, proxy: Proxy) -> None:
    desk.good("up", "--no-wait")
    assert looked(desk, proxy, "up") == {"GET /_ping": 1, "GET /containers/json": 1}
    desk.env["LLMSTACK_STORE"] += ".new"  # another controller, which knows nothing yet
    assert looked(desk, proxy, "up")["GET /containers/json"] == 1
    assert looked(desk, proxy, "up") == {"GET /_ping": 1, "GET /containers/json": 1}
