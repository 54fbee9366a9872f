"""What containers use, by real engines: the same raw samples make the same numbers as those of the Docker CLI."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from llmstack.engines.docker.usage import usage_of
from llmstack.gpu.owners import owner_of
from tests.desk import Desk, until
from tests.rig.host import RigHost
from tests.rig.kinds import DEFAULT, KINDS
from tests.servers.driver import build, told
from tests.servers.fake_nvml import T4
from tests.unit.engines.docker.test_docker_usage import cli, ours

pytestmark = pytest.mark.docker
BURN = "dd if=/dev/zero of=/f bs=1M count=8; while :; do :; done"
STACK = """\
llmstack: 1
stack: used
services:
  busy: {{type: container, image: "{image}", args: [sh, -c, "{burn}"]}}
  calm: {{type: container, image: "{image}", args: [sleep, "600"]}}
  off: {{type: container, image: "{image}", args: [sleep, "600"], enabled: false}}
"""
OTHERS = [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind != DEFAULT]


@pytest.mark.parametrize("kind", [DEFAULT, *OTHERS])
def test_stats_of_a_stack_are_those_of_its_engine(kind: str, rig_of: Callable[[str], RigHost], tmp_path: Path) -> None:
    host = rig_of(kind)
    desk = Desk(tmp_path, STACK.format(image=host.busybox(), burn=BURN), DOCKER_HOST=host.address)
    with host.inside():
        desk.good("up", "--no-wait")
        busy, calm = until(lambda: two if len(two := desk.good("stats", "-o", "json").json["items"]) == 2 else None)
        assert [busy["target"], calm["target"]] == ["busy@localhost", "calm@localhost"]
        assert busy["cpu_percent"] > calm["cpu_percent"] >= 0
        assert (calm["processes"], calm["memory_limit_bytes"]) == (2, busy["memory_limit_bytes"])
        assert all(row["memory_bytes"] > 0 and row["network_received_bytes"] >= 0 for row in (busy, calm))
        assert desk.good("stats", "-s", "calm", "-o", "names").out == "calm@localhost\n"


def test_raw_samples_of_an_engine_make_the_numbers_of_the_docker_cli(rig: RigHost) -> None:
    made = rig.api.create_container(rig.busybox(), command=["sh", "-c", BURN])["Id"]
    rig.api.start(made)
    answer = rig.api.stats(made, stream=False)
    usage = usage_of(answer)
    assert usage is not None
    assert ours(usage) == pytest.approx(cli(answer))
    assert usage.cpu_percent


def test_a_process_on_a_gpu_is_its_containers_ours_or_not(rig: RigHost, tmp_path: Path) -> None:
    env = {"DOCKER_HOST": rig.address, **build(tmp_path)}
    desk = Desk(tmp_path / "desk", STACK.format(image=rig.busybox(), burn=BURN), **env)
    theirs = rig.api.create_container(rig.busybox(), name="theirs", command=["sleep", "4711"])["Id"]
    rig.api.start(theirs)
    with rig.inside():
        desk.good("up", "--no-wait", "-s", "calm")
        for program, found in (("sleep 600", ("instance", "calm@localhost")), ("sleep 4711", ("container", "theirs"))):
            desk.env |= told(T4.holding({until(lambda program=program: pid_of(program, rig)): 2 << 30}))
            (gpu,) = desk.good("gpus", "-o", "json").json["items"]
            assert [(holder["kind"], holder["name"]) for holder in gpu["holders"]] == [found]
            (row,) = desk.good("stats", "-o", "json").json["items"]
            assert row["gpu_memory_bytes"] == (2 << 30 if found[0] == "instance" else 0)


def pid_of(program: str, rig: RigHost) -> int | None:
    """The pid, as this machine counts, of a program in one of the rig's containers."""
    ids = {one["Id"] for one in rig.api.containers()}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if " ".join(process.cmdline()) == program and owner_of(process.pid).container_id in ids:
                return process.pid
    return None
