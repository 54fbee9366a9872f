"""GPUs by whole commands, with a driver's library that was built for them."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.cli.conftest import OURS
from tests.desk import Desk, Ran
from tests.servers.driver import build

GIB = 1 << 30
VERSION_MISMATCH = 18
PICKED = OURS.replace("port: PORT", "port: auto, resources: {gpus: auto}")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What makes a command find it."""
    return build(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def driver(started: Desk, library: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let commands of this test find the library, told what to answer."""

    def drive(**told: object) -> None:
        more = {f"FAKE_NVML_{name.upper()}": str(value) for name, value in told.items()}
        monkeypatch.setattr(started, "env", {**started.env, **library, **more})

    return drive


def test_what_an_instance_holds_is_told_with_its_card(started: Desk, door: str, driver: Callable[..., None]) -> None:
    driver(pid=started.engine.observe(None)[0].pid)
    told = started.good("gpus", door=door).out
    assert told.splitlines()[0] == "GPU 0  Tesla T4  2/15 GiB  61 %  62 °C  42/70 W"
    assert told.splitlines()[1].split()[:4] == ["ollama@localhost", "instance", "2", "GiB"]
    (row,) = started.good("stats", "-o", "json", door=door).json["items"]
    assert (row["gpu_memory_bytes"], row["gpu_percent"]) == (2 * GIB, 61.0)


def test_what_somebody_else_holds_is_told_by_its_program(started: Desk, driver: Callable[..., None]) -> None:
    driver(pid=os.getpid())
    ran = started.good("gpus", "-o", "json")
    (holder,) = ran.json["items"][0]["holders"]
    assert (holder["kind"], holder["pid"], holder["memory_bytes"]) == ("process", os.getpid(), 2 * GIB)
    (row,) = started.good("stats", "-o", "json").json["items"]
    assert row["gpu_memory_bytes"] == 0


def test_a_driver_that_was_updated_is_named_and_takes_nothing_from_the_rest(
    started: Desk, driver: Callable[..., None]
) -> None:
    driver(init=VERSION_MISMATCH)
    ran = started.run("gpus", "-o", "json")
    assert (ran.code, ran.json["errors"][0]["class"]) == (4, "unreachable")
    assert "the NVIDIA driver was updated while the old one is still loaded; reboot" in ran.err
    (row,) = started.good("stats", "-o", "json").json["items"]
    assert row["gpu_memory_bytes"] is None


def test_a_machine_without_a_gpu_is_an_answer(look: Callable[..., Ran]) -> None:
    ran = look("gpus")
    assert ran.code == 0
    assert ran.out or "no NVIDIA GPU" in ran.err


def test_a_gpu_is_picked_by_what_is_free_now(make_desk: Callable[..., Desk], library: dict[str, str]) -> None:
    desk = make_desk(PICKED, **library, FAKE_NVML_PID=str(os.getpid()))
    planned = desk.good("up", "--check", "-o", "json").json["items"][0]
    assert planned["reason"].endswith("gpus GPU 0 Tesla T4, the most free (12.0 GiB)")
    desk.env["FAKE_NVML_INIT"] = str(VERSION_MISMATCH)
    ran = desk.run("up", "--check", "-o", "json")
    assert (ran.code, "was updated while the old one is still loaded" in ran.out) == (4, True)
