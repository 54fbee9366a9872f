"""What tests of the process engine look at: ports, processes, and time that passes."""

from __future__ import annotations

import contextlib
import socket
import time
import urllib.request
from collections.abc import Callable

import psutil

from llmstack.domain.instance import Instance
from llmstack.engines.process.engine import ProcessEngine

PATIENCE_S = 30.0


def clear(engine: ProcessEngine) -> None:
    for instance in engine.observe(None):
        engine.stop(instance.container_name, 0.0)
        engine.remove(instance.container_name)


def new_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def now(engine: ProcessEngine, name: str) -> Instance:
    instance = engine.inspect(name)
    assert instance is not None
    return instance


def fetch(port: int | None, path: str = "/") -> str | None:
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer,
    ):
        return str(answer.read().decode())
    return None


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition; the test fails when it never comes."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def shim_pid(engine: ProcessEngine, name: str) -> int:
    return int((engine.root / name / "lock").read_text())
