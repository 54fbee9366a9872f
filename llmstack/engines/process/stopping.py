"""The end of an instance, verified."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from llmstack.domain.instance import Instance
from llmstack.engines.ports import Listener, bind_error, listeners
from llmstack.engines.process.files import LOCK, is_held
from llmstack.engines.process.processes import shim_of, started_at, sweep
from llmstack.errors import LlmstackError

FOUND_S, KILL_S, PORT_S, POLL_S = 1.0, 5.0, 2.0, 0.01


def stop(folder: Path, instance: Instance, timeout_s: float) -> None:
    """SIGTERM, after `timeout_s` SIGKILL to the whole group, at last to the shim (the server dies with it).

    Returns when lock, processes and port are free. Raises LlmstackError naming what stays.
    """
    since = started_at(instance.pid)
    steps = ((signal.SIGTERM, timeout_s), (signal.SIGUSR1, KILL_S), (signal.SIGKILL, KILL_S))
    ended = any(_signal_and_wait(folder, number, wait_s) for number, wait_s in steps)
    stay = [f"{process.name()} (pid {process.pid})" for process in sweep(instance.id)]
    if stay or not ended:
        raise LlmstackError(
            f"{instance.container_name} did not end: {', '.join(stay) or 'its keeper still runs'}",
            "it may wait for a disk or driver; look at it with ps",
        )
    if instance.port and since is not None:
        _await_port(instance, instance.port, since)


def _signal_and_wait(folder: Path, number: signal.Signals, wait_s: float) -> bool:
    """Whether the folder is free within `wait_s` of the signal to its shim."""
    _within(FOUND_S, lambda: not is_held(folder / LOCK) or _signal(folder, number))
    return _within(wait_s, lambda: not is_held(folder / LOCK))


def _signal(folder: Path, number: signal.Signals) -> bool:
    """False while the shim has not written its pid yet."""
    shim = shim_of(folder)
    with contextlib.suppress(psutil.Error):
        if shim:
            shim.send_signal(number)
    return shim is not None


def _await_port(instance: Instance, port: int, since: float) -> None:
    """Raises LlmstackError when a process that is younger than the server keeps its port."""
    free = _within(PORT_S, lambda: _keeper(instance, port, since) is None)
    if not free and (keeper := _keeper(instance, port, since)):
        raise LlmstackError(
            f"{instance.container_name} ended, but {keeper} keeps port {port}", f"end {keeper}, then run this again"
        )


def _keeper(instance: Instance, port: int, since: float) -> Listener | None:
    """Who holds the port and may come from the instance; who is older than the server never did."""
    if bind_error(instance.spec.bind if instance.spec else "127.0.0.1", port) is None:
        return None
    return next((each for each in listeners() if each.port == port and (each.started_at or 0.0) >= since), None)


def _within(wait_s: float, done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + wait_s
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True
