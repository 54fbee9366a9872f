"""A server that ends by itself: what each restart policy makes of it, and what is told."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmstack.core.actions import describe
from llmstack.domain.instance import Instance, InstanceSpec, State
from llmstack.engines.process import launch
from llmstack.engines.process.engine import ProcessEngine
from llmstack.engines.process.files import WAITING, read_json
from tests.unit.engines.process.support import alive, fetch, now, until

Make = Callable[..., InstanceSpec]
Serve = Callable[..., Instance]


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


def test_killed_under_policy_no_it_stays_crashed(engine: ProcessEngine, serve: Serve) -> None:
    server = serve(restart="no")
    kill(server.pid)
    until(lambda: not now(engine, server.container_name).running)
    crashed = now(engine, server.container_name)
    assert (crashed.state, crashed.exit_code, crashed.restarts) == (State.CRASHED, 137, 0)
    assert crashed.out_of_memory is False
    engine.stop(server.container_name, 1.0)
    assert now(engine, server.container_name).state is State.CRASHED
    engine.start(server.container_name)
    assert now(engine, server.container_name).state is State.STARTING


@pytest.mark.parametrize("policy", ["always", "unless-stopped", "on-failure", "on-failure:3"])
def test_killed_under_any_other_policy_it_comes_back_and_says_so(
    engine: ProcessEngine, serve: Serve, port: int, policy: str
) -> None:
    server = serve(restart=policy)
    kill(server.pid)
    until(lambda: now(engine, server.container_name).restarts == 1)
    until(lambda: fetch(port) == "ok")
    back = now(engine, server.container_name)
    assert (back.state, back.running, back.exit_code) == (State.STARTING, True, 137)
    assert back.pid != server.pid
    engine.stop(server.container_name, 10.0)
    stopped = now(engine, server.container_name)
    assert (stopped.state, stopped.exit_code, stopped.restarts) == (State.STOPPED, 0, 1)


def test_an_end_without_failure_is_final_on_failure(engine: ProcessEngine, serve: Serve) -> None:
    name = serve("--exit", "0", restart="on-failure", answers=False).container_name
    until(lambda: not now(engine, name).running)
    ended = now(engine, name)
    assert (ended.state, ended.exit_code, ended.restarts) == (State.CRASHED, 0, 0)


def test_on_failure_gives_up_after_its_number(engine: ProcessEngine, serve: Serve) -> None:
    name = serve("--exit", "3", "--say", "try", restart="on-failure:2", answers=False).container_name
    until(lambda: not now(engine, name).running)
    ended = now(engine, name)
    assert (ended.state, ended.exit_code, ended.restarts) == (State.CRASHED, 3, 2)
    assert list(engine.logs(name)) == ["try"] * 3


def test_waiting_to_restart_is_crashed_and_a_stop_ends_the_wait(engine: ProcessEngine, serve: Serve) -> None:
    name = serve("--exit", "3", restart="always", answers=False).container_name
    until(lambda: (now(engine, name).restarts or 0) >= 3)
    until(lambda: read_json(engine.root / name / "state.json")["phase"] == WAITING)
    waiting = now(engine, name)
    assert (waiting.state, waiting.running, waiting.pid, waiting.exit_code) == (State.CRASHED, True, None, 3)
    assert describe(waiting).startswith("crashed, exit 3")
    engine.stop(name, 10.0)
    stopped = now(engine, name)
    assert (stopped.state, stopped.running, stopped.exit_code) == (State.STOPPED, False, 3)


def test_a_program_that_vanished_is_told_in_the_log(
    engine: ProcessEngine, make: Make, tmp_path: Path, port: int
) -> None:
    program = tmp_path / "server"
    program.write_text(f"#!{sys.executable}\nimport time\nprint('up', flush=True)\ntime.sleep(3600)\n")
    program.chmod(0o700)
    spec = make(program=(str(program),), restart="on-failure:2")
    engine.create(spec)
    engine.start(spec.name)
    assert next(engine.logs(spec.name, follow=True)) == "up"
    program.unlink()
    kill(now(engine, spec.name).pid)
    until(lambda: not now(engine, spec.name).running)
    assert now(engine, spec.name).exit_code == 127
    assert list(engine.logs(spec.name)) == ["up", *[f"cannot start {program}: No such file or directory"] * 2]


def test_what_the_server_left_behind_ends_with_it(engine: ProcessEngine, serve: Serve) -> None:
    server = serve("--child", restart="no")
    (child,) = [pid for pid in engine.pids(server.container_name) if pid != server.pid]
    kill(server.pid)
    until(lambda: not alive(child))


def test_a_server_that_closed_its_output_is_kept(engine: ProcessEngine, make: Make) -> None:
    code = "import os, time; print('last words', flush=True); os.close(1); os.close(2); time.sleep(3600)"
    spec = make(program=("python", "-c"), command=(code,), port=None)
    engine.create(spec)
    engine.start(spec.name)
    assert next(engine.logs(spec.name, follow=True)) == "last words"
    assert now(engine, spec.name).running
    engine.stop(spec.name, 10.0)
    assert now(engine, spec.name).exit_code == 143


def test_a_good_run_forgets_the_failures_before_it(
    engine: ProcessEngine, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = "import llmstack.engines.process.shim as shim; shim.GOOD_RUN_S = 0.0; main("
    monkeypatch.setattr(launch, "RUN_SHIM", launch.RUN_SHIM.replace("main(", good))
    name = serve("--exit", "3", restart="on-failure:1", answers=False).container_name
    until(lambda: (now(engine, name).restarts or 0) >= 3)
