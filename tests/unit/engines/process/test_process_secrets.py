"""Secrets reach the server's environment and nothing else."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from llmstack.domain.instance import Instance
from llmstack.domain.secret import Sealed, Secret
from llmstack.engines.process.engine import ProcessEngine
from llmstack.errors import LlmstackError
from tests.unit.engines.process.support import fetch, now, shim_pid, until

Serve = Callable[..., Instance]
VALUE = "sesame-open-4711"


@pytest.fixture
def server(serve: Serve) -> Instance:
    return serve(secrets={"API_KEY": Secret("env:API_KEY", lambda: VALUE)})


def everything_below(root: Path) -> bytes:
    return b"".join(path.read_bytes() for path in root.rglob("*") if path.is_file())


def test_the_server_has_it_the_disk_and_the_command_lines_do_not(
    engine: ProcessEngine, server: Instance, port: int
) -> None:
    assert fetch(port, "/env/API_KEY") == VALUE
    assert VALUE.encode() not in everything_below(engine.root)
    shim = psutil.Process(shim_pid(engine, server.container_name))
    assert VALUE not in str(shim.environ())
    assert VALUE not in str([psutil.Process(pid).cmdline() for pid in (shim.pid, *engine.pids(server.container_name))])
    assert VALUE not in str(server)
    assert server.spec is not None
    sealed = server.spec.secrets["API_KEY"]
    assert isinstance(sealed, Sealed)
    assert sealed.matches(VALUE)


def test_it_is_still_there_after_a_crash(engine: ProcessEngine, server: Instance, port: int) -> None:
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: now(engine, server.container_name).restarts == 1)
    until(lambda: fetch(port, "/env/API_KEY") == VALUE)
    assert VALUE.encode() not in everything_below(engine.root)


def test_it_is_still_there_after_a_stop_in_the_same_run(engine: ProcessEngine, server: Instance, port: int) -> None:
    engine.stop(server.container_name, 10.0)
    engine.start(server.container_name)
    until(lambda: fetch(port, "/env/API_KEY") == VALUE)


def test_a_later_run_that_does_not_know_it_says_what_to_do(engine: ProcessEngine, server: Instance) -> None:
    engine.stop(server.container_name, 10.0)
    with pytest.raises(LlmstackError, match="API_KEY") as caught:
        ProcessEngine("localhost", engine.root).start(server.container_name)
    assert "run up again" in str(caught.value.hint)


def test_a_later_run_that_stopped_it_can_start_it_again(engine: ProcessEngine, server: Instance, port: int) -> None:
    later = ProcessEngine("localhost", engine.root)
    later.rename(server.container_name, server.container_name + ".prev")
    later.stop(server.container_name + ".prev", 10.0)
    later.start(server.container_name + ".prev")
    until(lambda: fetch(port, "/env/API_KEY") == VALUE)


def test_it_is_forgotten_with_the_instance(engine: ProcessEngine, server: Instance) -> None:
    engine.stop(server.container_name, 10.0)
    engine.remove(server.container_name)
    assert VALUE not in str(vars(engine))
