"""Stops that are verified, and shims that are killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from llmstack.domain.instance import Instance, InstanceSpec, State
from llmstack.engines.process.engine import ProcessEngine
from llmstack.engines.process.files import is_held
from llmstack.errors import LlmstackError
from tests.unit.engines.process.support import alive, fetch, now, shim_pid, until

Make = Callable[..., InstanceSpec]
Serve = Callable[..., Instance]


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    yield process
    process.kill()
    process.wait()


def others(engine: ProcessEngine, server: Instance) -> list[int]:
    return [pid for pid in engine.pids(server.container_name) if pid != server.pid]


def test_a_server_deaf_to_sigterm_is_killed_with_its_children(engine: ProcessEngine, serve: Serve, port: int) -> None:
    server = serve("--deaf", "--child", restart="always")
    (child,) = others(engine, server)
    engine.stop(server.container_name, 0.2)
    stopped = now(engine, server.container_name)
    assert (stopped.state, stopped.exit_code, stopped.out_of_memory) == (State.STOPPED, 137, False)
    assert not alive(child)
    assert fetch(port) is None


def test_a_child_that_left_the_session_is_found_by_its_environment(engine: ProcessEngine, serve: Serve) -> None:
    server = serve("--child", "--escape")
    (child,) = others(engine, server)
    engine.stop(server.container_name, 10.0)
    assert not alive(child)


def test_a_second_stop_changes_nothing(engine: ProcessEngine, serve: Serve) -> None:
    name = serve().container_name
    engine.stop(name, 10.0)
    first = now(engine, name)
    engine.stop(name, 10.0)
    assert now(engine, name) == first


def test_a_killed_shim_takes_the_server_along(engine: ProcessEngine, serve: Serve, port: int) -> None:
    server = serve("--child", restart="always")
    name = server.container_name
    (child,) = others(engine, server)
    os.kill(shim_pid(engine, name), signal.SIGKILL)
    until(lambda: not is_held(engine.root / name / "lock"))
    until(lambda: server.pid and not alive(server.pid))
    crashed = now(engine, name)
    assert (crashed.state, crashed.running, crashed.pid) == (State.CRASHED, False, None)
    assert crashed.error == "its keeper was killed"
    assert engine.pids(name) == (child,)
    engine.start(name)
    assert not alive(child)
    until(lambda: fetch(port) == "ok")
    assert now(engine, name).state is State.STARTING
    engine.stop(name, 10.0)


def test_pids_that_others_got_meanwhile_are_left_alone(
    engine: ProcessEngine, serve: Serve, bystander: subprocess.Popen[bytes]
) -> None:
    server = serve()
    name = server.container_name
    os.kill(shim_pid(engine, name), signal.SIGKILL)
    until(lambda: not is_held(engine.root / name / "lock"))
    state = engine.root / name / "state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "pid": bystander.pid}))
    (engine.root / name / "lock").write_text(str(bystander.pid))
    seen = now(engine, name)
    assert (seen.running, seen.pid, seen.state) == (False, None, State.CRASHED)
    assert engine.pids(name) == ()
    engine.stop(name, 1.0)
    engine.remove(name)
    assert bystander.poll() is None


def test_a_shim_whose_pid_is_wrong_is_never_signalled_by_it(
    engine: ProcessEngine, serve: Serve, bystander: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmstack.engines.process import stopping

    for wait in ("FOUND_S", "KILL_S"):
        monkeypatch.setattr(stopping, wait, 0.05)
    name = serve().container_name
    lock = engine.root / name / "lock"
    right = lock.read_text()
    lock.write_text(str(bystander.pid))
    with pytest.raises(LlmstackError, match="did not end"):
        engine.stop(name, 0.05)
    assert bystander.poll() is None
    lock.write_text(right)


def test_a_shim_that_stands_still_is_killed_at_last(
    engine: ProcessEngine, serve: Serve, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llmstack.engines.process import stopping

    server = serve()
    monkeypatch.setattr(stopping, "KILL_S", 0.3)
    os.kill(shim_pid(engine, server.container_name), signal.SIGSTOP)
    engine.stop(server.container_name, 0.1)
    until(lambda: fetch(port) is None)
    assert not now(engine, server.container_name).running


def test_a_port_that_was_never_ours_does_not_hinder_a_stop(engine: ProcessEngine, make: Make, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        spec = make(restart="always")
        engine.create(spec)
        engine.start(spec.name)
        until(lambda: (now(engine, spec.name).restarts or 0) >= 1)
        engine.stop(spec.name, 10.0)
    assert now(engine, spec.name).state is State.STOPPED


def test_a_port_kept_by_what_escaped_is_named(engine: ProcessEngine, make: Make, port: int) -> None:
    code = (
        "import socket, subprocess, sys; s = socket.create_server(('127.0.0.1', {port})); s.set_inheritable(True);"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)'], env={}, close_fds=False,"
        " start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
        "print(p.pid, flush=True); p.wait()"
    )
    spec = make(program=("python", "-c"), command=(code.replace("{port}", str(port)),))
    engine.create(spec)
    engine.start(spec.name)
    daemon = psutil.Process(int(next(engine.logs(spec.name, follow=True))))
    with pytest.raises(LlmstackError, match=rf"\(pid {daemon.pid}\) keeps port {port}"):
        engine.stop(spec.name, 10.0)
    daemon.kill()
    assert now(engine, spec.name).state is State.STOPPED
