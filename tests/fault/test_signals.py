"""SIGINT and SIGTERM in the middle of a replace, on both engines: once, and the old one is back; twice, and the run
ends at once and the next one repairs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from llmstack.domain.instance import Instance
from llmstack.engines.docker import DockerEngine
from llmstack.protocols import Engine
from tests.desk import DEADLINE_S, SERVERS, Desk, until
from tests.fault.conftest import Make
from tests.rig.host import RigHost

NAME = "llmstack-faults-web"
PROCESS = """\
llmstack: 1
stack: faults
services:
  web: {type: ollama, engine: process, port: PORT, env: {HOW: "%s"}}
"""
PROGRAM = f"""#!/bin/sh
case $HOW in
  never) exec sleep 600 ;;
  deaf) trap "" TERM; sleep 600 ;;
  *) exec {sys.executable} {SERVERS}/ollama_replay.py ;;
esac
"""
DOCKER = """\
llmstack: 1
stack: faults
services:
  web:
    type: container
    image: "%s"
    args: [sh, -c, %s]
    port: PORT
    options: {container_port: 80}
"""
NEVER = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
SERVES = f"mkdir /w; echo ok > /w/index.html; httpd -p 80 -h /w; {NEVER}"
DEAF = "trap '' TERM; sleep 600"


class Stage:
    """A desk with one service `web`, which can be made to start well, never, or never and deaf to SIGTERM."""

    def __init__(self, desk: Desk, engine: Engine, inventories: dict[str, str]) -> None:
        self.desk, self.engine, self.inventories = desk, engine, inventories

    def want(self, how: str) -> None:
        self.desk.write(self.inventories[how])

    def there(self) -> dict[str, Instance]:
        return {one.container_name: one for one in self.engine.observe(None)}

    def replacing(self) -> bool:
        """Whether the new one is being waited for."""
        there = self.there()
        return len(there) == 2 and there[NAME].running and not there[f"{NAME}.prev"].running

    def is_free(self) -> bool:
        """Whether nobody holds the stack. Raises LockedError."""
        with self.engine.lock("faults", "a test", 60):
            return True


def process_stage(make_desk: Make, _: pytest.FixtureRequest) -> Stage:
    desk = make_desk()
    desk.program("ollama", PROGRAM)
    return Stage(desk, desk.engine, {how: PROCESS % how for how in ("well", "never", "deaf")})


def docker_stage(make_desk: Make, request: pytest.FixtureRequest) -> Stage:
    rig: RigHost = request.getfixturevalue("in_rig")
    ways = {"well": SERVES, "never": NEVER, "deaf": DEAF}
    inventories = {how: DOCKER % (rig.busybox(), json.dumps(line)) for how, line in ways.items()}
    return Stage(make_desk(DOCKER_HOST=rig.address), DockerEngine("localhost", rig.address), inventories)


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def stage(make_desk: Make, request: pytest.FixtureRequest) -> Iterator[Stage]:
    make: Callable[[Make, pytest.FixtureRequest], Stage] = {"process": process_stage, "docker": docker_stage}[
        request.param
    ]
    staged = make(make_desk, request)
    staged.want("well")
    staged.desk.good("up")
    yield staged
    staged.engine.close()


@contextmanager
def replacing(stage: Stage, how: str, door: str) -> Iterator[subprocess.Popen[str]]:
    """An `up` whose new instance runs but does not get ready."""
    stage.want(how)
    with stage.desk.start("up", "-o", "json", door=door) as process:
        try:
            until(lambda: process.poll() is not None or stage.replacing())
            yield process
        finally:
            process.kill()


def test_one_signal_brings_the_old_one_back(stage: Stage) -> None:
    before = stage.there()[NAME]
    with replacing(stage, "never", door="invoke") as process:
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, err
    assert "interrupted" in err
    (item,) = json.loads(out)["items"]
    assert (item["status"], item["error"]["rolled_back"]) == ("interrupted", True)
    assert item["reason"] == "interrupted; the old one is back and runs; it was not waited for"
    assert "failed=0 unhealthy=0 skipped=0 interrupted=1" in err
    (after,) = stage.there().values()
    assert (after.id, after.container_name, after.running) == (before.id, NAME, True)
    assert stage.is_free()
    stage.want("well")
    assert "changed=0" in stage.desk.good("up").recap


def test_a_second_signal_ends_it_at_once_and_the_next_up_repairs(stage: Stage) -> None:
    with replacing(stage, "deaf", door="llmstack") as process:
        until(lambda: os.kill(process.pid, signal.SIGTERM) or process.poll() is not None)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode in (143, -signal.SIGTERM), err  # a third may end it in its last moments: shells tell 143
    assert "stopped at once; left as they are: web@localhost (replace)" in err
    assert json.loads(out)["errors"][0]["left"] == ["web@localhost (replace)"]
    assert stage.replacing()
    stage.want("well")
    stage.desk.good("up")
    (now,) = stage.there().values()
    assert (now.container_name, now.running) == (NAME, True)
