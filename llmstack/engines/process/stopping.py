"""The end of an instance, verified."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from llmstack.domain.instance import Instance
from llmstack.engines.process.files import LOCK, is_held
from llmstack.engines.process.processes import bind_error, listeners, shim_of, sweep
from llmstack.errors import LlmstackError

FOUND_S, KILL_S, PORT_S, POLL_S = 1.0, 5.0, 2.0, 0.01


def stop(folder: Path, instance: Instance, timeout_s: float) -> None:
    """SIGTERM, after `timeout_s` SIGKILL to the whole group, at last to the shim (the server dies with it).

    Returns when lock, processes and port are free. Raises LlmstackError naming what stays.
    """
    steps = ((signal.SIGTERM, timeout_s), (signal.SIGUSR1, KILL_S), (signal.SIGKILL, KILL_S))
    ended = any(_signal_and_wait(folder, number, wait_s) for number, wait_s in steps)
    stay = [f"{process.name()} (pid {process.pid})" for process in sweep(instance.id)]
    if stay or not ended:
        raise LlmstackError(
            f"{instance.container_name} did not end: {', '.join(stay) or 'its keeper still runs'}",
            "it may wait for a disk or driver; look at it with ps",
        )
    if instance.running and instance.port:
        _await_port(instance, instance.port)


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


def _await_port(instance: Instance, port: int) -> None:
    """Raises LlmstackError when a process that came after the instance keeps its port; an older one was never ours."""
    address = instance.spec.bind if instance.spec else "127.0.0.1"
    if _within(PORT_S, lambda: bind_error(address, port) is None):
        return
    since = instance.started_at or 0.0
    for listener in listeners():
        if listener.port == port and listener.started_at and listener.started_at >= since:
            raise LlmstackError(
                f"{instance.container_name} ended, but {listener} keeps port {port}", f"end pid {listener.pid}"
            )


def _within(wait_s: float, done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + wait_s
    while not done():
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_S)
    return True
