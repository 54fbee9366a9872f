"""Hosts that break: a killed engine, a frozen machine, GPUs that a fake driver gives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.domain.instance import InstanceSpec, State
from llmstack.domain.resources import Resources
from llmstack.engines.docker import DockerEngine, wire
from llmstack.errors import PreflightError, UnreachableError
from tests.desk import Desk, until
from tests.rig.host import RigHost
from tests.rig.kinds import KINDS
from tests.servers.driver import build
from tests.servers.fake_nvml import T4

pytestmark = pytest.mark.docker

NAMED = """mkdir -p /etc/cdi; cat > /etc/cdi/nvidia.json <<'X'
{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [
 {"name": "all", "containerEdits": {"env": ["GIVEN=all"]}}, {"name": "0", "containerEdits": {"env": ["GIVEN=0"]}},
 {"name": "GPU-abc", "containerEdits": {"env": ["GIVEN=abc"]}}]}
X
"""
OPEN = """\
llmstack: 1
stack: open
services:
  web:
    type: container
    image: "{image}"
    args: [sh, -c, "env; exec sleep 1000"]
    resources: {{memory: auto, cpus: auto, shm: auto, pids: auto, gpus: auto}}
"""


@pytest.fixture
def host(throwaway_host: Callable[..., RigHost]) -> RigHost:
    return throwaway_host()


@pytest.fixture
def engine(host: RigHost) -> Iterator[DockerEngine]:
    made = DockerEngine("frail", host.address)
    yield made
    made.close()


@pytest.fixture
def spec(host: RigHost) -> InstanceSpec:
    return InstanceSpec(
        stack="lab",
        service="web",
        host="frail",
        type="container",
        engine="docker",
        image=host.busybox(),
        command=("sh", "-c", "echo up; exec sleep 1000"),
    )


def test_a_killed_engine_is_unreachable_and_the_same_object_works_when_it_is_back(
    host: RigHost, engine: DockerEngine, spec: InstanceSpec
) -> None:
    engine.start(engine.create(spec).container_name)
    lines = engine.logs(spec.name, follow=True)
    assert next(lines) == "up"
    before = engine.inspect(spec.name)
    host.kill_engine()
    with suppress(UnreachableError):
        assert list(lines) == []
    with pytest.raises(UnreachableError, match="frail"):
        engine.observe("lab")
    host.start_engine()
    assert engine.inspect(spec.name) == before
    engine.stop(spec.name, 5)


def test_a_frozen_machine_is_unreachable_in_finite_time(
    host: RigHost, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LOOK_S", 0.3)
    host.pause()
    try:
        with pytest.raises(UnreachableError, match="did not answer in time"):
            engine.observe("lab")
    finally:
        host.unpause()
    assert engine.observe("lab") == ()


def test_gpus_are_given_by_driver_and_by_name_and_a_broken_driver_is_told(
    host: RigHost, engine: DockerEngine, spec: InstanceSpec
) -> None:
    host.give_gpus()
    show = replace(spec, command=("env",), restart="no")
    wanted = {
        ("all",): "NVIDIA_VISIBLE_DEVICES=all",
        ("2",): "NVIDIA_VISIBLE_DEVICES=0,1",
        ("GPU-abc",): "NVIDIA_VISIBLE_DEVICES=GPU-abc",
        ("fake.com/gpu=0",): "FAKE_GPU=0",
    }
    for number, (gpus, line) in enumerate(wanted.items()):
        each = replace(show, service=f"gpu{number}", resources=Resources(gpus=gpus))
        engine.start(engine.create(each).container_name)
        assert until(lambda name=each.name, line=line: line in list(engine.logs(name)))
    host.run("touch", "/tmp/gpu-broken")
    broken = replace(show, resources=Resources(gpus=("all",)))
    engine.create(broken)
    with pytest.raises(PreflightError, match="cannot give it a GPU") as raised:
        engine.start(broken.name)
    assert str(raised.value).endswith("the NVIDIA driver refuses (nvml error: driver not loaded)")
    assert "nvidia-smi" in (raised.value.hint or "")
    left = engine.inspect(broken.name)
    assert left is not None
    assert left.state is State.STOPPED


def test_an_old_engine_gives_gpus_by_its_driver_alone(
    throwaway_host: Callable[..., RigHost], spec: InstanceSpec
) -> None:
    host = throwaway_host(kind=KINDS["docker-20.10"])
    host.give_gpus()
    show = replace(spec, image=host.busybox(), command=("env",), restart="no")
    with contextlib.closing(DockerEngine("frail", host.address)) as engine:
        given = replace(show, resources=Resources(gpus=("2",)))
        engine.start(engine.create(given).container_name)
        assert until(lambda: "NVIDIA_VISIBLE_DEVICES=0,1" in list(engine.logs(given.name)))
        named = replace(show, service="named", resources=Resources(gpus=("fake.com/gpu=0",)))
        engine.create(named)
        with pytest.raises(PreflightError, match="cannot give it a GPU"):
            engine.start(named.name)


def test_podman_which_ignores_a_request_in_silence_is_asked_so_that_it_does_not(
    throwaway_host: Callable[..., RigHost], spec: InstanceSpec
) -> None:
    host = throwaway_host(kind=KINDS["podman-5.8"])
    show = replace(spec, image=host.busybox(), command=("env",), restart="no")
    with contextlib.closing(DockerEngine("frail", host.address)) as engine:
        blind = replace(show, resources=Resources(gpus=("all",)))
        engine.create(blind)
        with pytest.raises(PreflightError, match="cannot give it a GPU"):
            engine.start(blind.name)
        host.run("sh", "-c", NAMED)
        for number, (gpus, given) in enumerate({"all": "all", "1": "0", "GPU-abc": "abc"}.items()):
            each = replace(show, service=f"gpu{number}", resources=Resources(gpus=(gpus,)))
            engine.start(engine.create(each).container_name)
            assert until(lambda name=each.name, line=f"GIVEN={given}": line in list(engine.logs(name)))


def test_what_an_inventory_leaves_open_is_in_force_on_a_real_engine(host: RigHost, tmp_path: Path) -> None:
    host.give_gpus()
    desk = Desk(tmp_path / "desk", OPEN.format(image=host.busybox()), DOCKER_HOST=host.address, **build(tmp_path, T4))
    with host.inside():
        (planned,) = desk.good("up", "--check", "-o", "json").json["items"]
        assert "gpus GPU 0 Tesla T4, the most free (14.0 GiB)" in planned["reason"]
        desk.good("up", "--no-wait")
        made = host.api.inspect_container("llmstack-open-web")["HostConfig"]
        assert (made["Memory"], made["NanoCpus"], made["ShmSize"], made["PidsLimit"]) == (1 << 30, 10**9, 64 << 20, 512)
        assert until(lambda: f"NVIDIA_VISIBLE_DEVICES={T4.uuid}" in desk.good("logs").out)
        (row,) = desk.good("status", "-o", "json").json["items"]
        assert row["limits"].startswith("memory 1.0 GiB: a companion; cpus 1: a companion; shm 64 MiB")
        (kept,) = desk.good("up", "--check", "-o", "json").json["items"]
        assert (kept["status"], kept["reason"]) == ("ok", "as wanted")
