"""GPUs by whole commands, with a driver's library that was built for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.cli.conftest import OURS
from tests.desk import Desk, Ran
from tests.servers import driver
from tests.servers.fake_nvml import (
    A100,
    GB10,
    GIB,
    GPU_IS_LOST,
    H100,
    NO_PERMISSION,
    PROFILES,
    RTX_4090,
    T4,
    VERSION_MISMATCH,
    FakeGpu,
)

PICKED = OURS.replace("port: PORT", "port: auto, resources: {gpus: auto}")
HOT = replace(T4, temperature_c=62, power_mw=41_500)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What makes a command find it."""
    return driver.build(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def cards(started: Desk, library: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let commands of this test see these cards, or a driver that answers an error."""

    def show(*gpus: FakeGpu, init: int = 0) -> None:
        told = {**library, **driver.told(*gpus), "FAKE_NVML_INIT": str(init)}
        monkeypatch.setattr(started, "env", {**started.env, **told})

    return show


def held(card: FakeGpu, pid: int) -> FakeGpu:
    """A card on which a process computes."""
    return replace(card.holding({pid: 2 * GIB}), busy={pid: 61})


def server(started: Desk) -> int:
    """The pid of the instance."""
    return started.engine.observe(None)[0].pid or 0


def shown(started: Desk) -> list[dict[str, Any]]:
    """What `gpus` tells of each card."""
    items = started.good("gpus", "-o", "json").json["items"]
    assert isinstance(items, list)
    return items


def test_what_an_instance_holds_is_told_with_its_card(started: Desk, door: str, cards: Callable[..., None]) -> None:
    cards(held(HOT, server(started)))
    told = started.good("gpus", door=door).out
    assert told.splitlines()[0] == "GPU 0  Tesla T4  2 GiB / 15 GiB  61 %  62 °C  42/70 W"
    assert told.splitlines()[1].split()[:4] == ["ollama@localhost", "instance", "2", "GiB"]
    (row,) = started.good("stats", "-o", "json", door=door).json["items"]
    assert (row["gpu_memory_bytes"], row["gpu_percent"]) == (2 * GIB, 61.0)


def test_what_somebody_else_holds_is_told_by_its_program(started: Desk, cards: Callable[..., None]) -> None:
    cards(held(T4, os.getpid()))
    (holder,) = shown(started)[0]["holders"]
    assert (holder["kind"], holder["pid"], holder["memory_bytes"]) == ("process", os.getpid(), 2 * GIB)
    (row,) = started.good("stats", "-o", "json").json["items"]
    assert row["gpu_memory_bytes"] == 0


def test_every_profile_is_told_as_it_is(started: Desk, cards: Callable[..., None]) -> None:
    cards(*(held(card, server(started)) for card in PROFILES.values()))
    for found, card in zip(shown(started), PROFILES.values(), strict=True):
        assert (found["id"], found["name"], found["memory_total_bytes"]) == (card.uuid, card.name, card.total_bytes)
        assert found["unified"] == (card is GB10)
        assert [holder["name"] for holder in found["holders"]] == ["ollama@localhost"]
    (row,) = started.good("stats", "-o", "json").json["items"]
    assert (row["gpu_memory_bytes"], row["gpu_percent"]) == (12 * GIB, 366.0)


def test_each_thing_that_ails_a_card_is_named(started: Desk, cards: Callable[..., None]) -> None:
    silent = H100.failing(nvmlDeviceGetComputeRunningProcesses=NO_PERMISSION)
    cards(T4.failing(nvmlDeviceGetHandleByIndex=GPU_IS_LOST), replace(A100, mig=True), GB10, silent)
    lost, cut, unified, closed = shown(started)
    assert (lost["name"], lost["holders"], "reboot" in lost["trouble"]) == (None, None, True)
    assert (cut["mig"], cut["utilization_percent"]) == (True, None)
    assert (unified["unified"], unified["memory_total_bytes"]) == (True, None)
    assert (closed["trouble"], closed["holders"]) == (None, None)
    told = started.good("gpus").out
    for words in ("the GPU is lost", "cut up by MIG", "unified memory", "does not tell which processes"):
        assert words in told
    (row,) = started.good("stats", "-o", "json").json["items"]
    assert row["gpu_memory_bytes"] is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (VERSION_MISMATCH, "the NVIDIA driver was updated while the old one is still loaded; reboot"),
        (NO_PERMISSION, "this user may not ask the NVIDIA driver; look at the rights of /dev/nvidia*"),
    ],
)
def test_a_driver_that_refuses_is_named_and_takes_nothing_from_the_rest(
    started: Desk, cards: Callable[..., None], code: int, words: str
) -> None:
    cards(T4, init=code)
    ran = started.run("gpus", "-o", "json")
    assert (ran.code, ran.json["errors"][0]["class"]) == (4, "unreachable")
    assert words in ran.err
    (row,) = started.good("stats", "-o", "json").json["items"]
    assert row["gpu_memory_bytes"] is None


def test_a_machine_without_a_gpu_is_an_answer(look: Callable[..., Ran]) -> None:
    ran = look("gpus")
    assert ran.code == 0
    assert ran.out or "no NVIDIA GPU" in ran.err


def test_a_gpu_is_picked_by_what_is_free_now(make_desk: Callable[..., Desk], library: dict[str, str]) -> None:
    desk = make_desk(PICKED, **library | driver.told(RTX_4090.holding({os.getpid(): 20 * GIB}), T4))
    planned = desk.good("up", "--check", "-o", "json").json["items"][0]
    assert planned["reason"].endswith("gpus GPU 1 Tesla T4, the most free (14.0 GiB)")
    desk.env |= driver.told(T4.failing(nvmlDeviceGetHandleByIndex=GPU_IS_LOST), replace(A100, mig=True))
    item = desk.run("up", "--check", "-o", "json").json["items"][0]
    assert "GPU 0 the GPU is lost" in item["error"]["message"]
    assert "GPU 1 NVIDIA A100-SXM4-80GB is cut up by MIG" in item["error"]["message"]
    assert "nvidia-smi -L" in item["error"]["hint"]
    desk.env["FAKE_NVML_INIT"] = str(VERSION_MISMATCH)
    ran = desk.run("up", "--check", "-o", "json")
    assert (ran.code, "was updated while the old one is still loaded" in ran.out) == (4, True)
