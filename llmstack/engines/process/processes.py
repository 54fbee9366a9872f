"""Processes of this machine, by psutil; what the rights do not show is unknown, not an error."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.instance import Instance
from llmstack.domain.usage import Usage
from llmstack.engines.process.files import LOCK
from llmstack.engines.process.launch import INSTANCE_ENV
from llmstack.errors import LlmstackError

GONE_S, POLL_S, USAGE_S, QUICK_S = 5.0, 0.01, 0.2, 0.1
PATIENCE_S = 60.0
"""For a command beside a server."""


def shim_of(folder: Path) -> psutil.Process | None:
    """The process that keeps `folder`, known by its pid in the lock and by where it works."""
    with contextlib.suppress(psutil.Error, OSError, ValueError):
        process = psutil.Process(int((folder / LOCK).read_text()))
        if os.path.samefile(process.cwd(), folder):
            return process
    return None


def machine(name: str, folder: Path, free_bytes: int | None) -> EngineFacts:
    """What an engine that keeps its files in `folder` has to give: this machine's memory and CPUs."""
    memory = psutil.virtual_memory()
    return EngineFacts(
        name=name,
        folder=str(folder),
        free_bytes=free_bytes,
        memory_bytes=memory.total,
        free_memory_bytes=memory.available,
        cpus=psutil.cpu_count(),
        proxy="",
    )


def tree(pid: int | None, instance_id: str) -> dict[int, psutil.Process]:
    """A server with its descendants, and whoever else inherited the instance's id."""
    found = {process.pid: process for process in _marked(instance_id)}
    with contextlib.suppress(psutil.Error):
        if pid:
            server = psutil.Process(pid)
            found |= {process.pid: process for process in (server, *server.children(recursive=True))}
    return found


def usages(trees: Mapping[str, Collection[psutil.Process]], quick: bool) -> dict[str, Usage]:
    """Name -> CPU over a moment (100 % is one core), resident memory and disk of all its processes."""
    before, began = {name: _cpu_s(found) for name, found in trees.items()}, time.monotonic()
    time.sleep((QUICK_S if quick else USAGE_S) if trees else 0)
    return {
        name: _usage(found, (_cpu_s(found) - before[name]) / (time.monotonic() - began) * 100)
        for name, found in trees.items()
    }


def _usage(found: Collection[psutil.Process], cpu_percent: float) -> Usage:
    memory_bytes, read, written = 0, None, None
    for process in found:
        with contextlib.suppress(psutil.Error, AttributeError):  # macOS counts no disk
            memory_bytes += process.memory_info().rss
            disk = process.io_counters()
            read, written = (read or 0) + disk.read_bytes, (written or 0) + disk.write_bytes
    return Usage(
        cpu_percent=max(0.0, cpu_percent),
        memory_bytes=memory_bytes,
        disk_read_bytes=read,
        disk_written_bytes=written,
        processes=len(found),
    )


def _cpu_s(found: Collection[psutil.Process]) -> float:
    total = 0.0
    for process in found:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def execute(there: Instance, command: Sequence[str]) -> None:
    """Run it with the environment of an instance, but for its secrets. Raises LlmstackError."""
    env = {**os.environ, **(there.spec.env if there.spec else {})}
    try:
        ran = subprocess.run(
            list(command), env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LlmstackError(f"{command[0]} for {there.container_name}: {error}", "see its log") from error
    if ran.returncode:
        said = ran.stderr.decode("utf-8", "replace").strip()
        told = f"{command[0]} for {there.container_name} ended with {ran.returncode}: {said}"
        raise LlmstackError(told, "see its log", ended=ran.returncode, said=said)


def environment(pid: int | None) -> dict[str, str]:
    """The environment a process was started with; empty where it cannot be read."""
    with contextlib.suppress(psutil.Error, OSError):
        if pid:
            return psutil.Process(pid).environ()
    return {}


def sweep(instance_id: str) -> list[psutil.Process]:
    """Kill what an instance left behind; returns what stays all the same."""
    strays = list(_marked(instance_id))
    for process in strays:
        with contextlib.suppress(psutil.Error):
            process.kill()
    deadline = time.monotonic() + GONE_S
    while (stay := [process for process in strays if _alive(process)]) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return stay


def started_at(pid: int | None) -> float | None:
    """When a process began, by the system's own clock (comparable with other processes only)."""
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).create_time() if pid else None
    return None


def _marked(instance_id: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(INSTANCE_ENV) == instance_id and _alive(process):
                yield process


def _alive(process: psutil.Process) -> bool:
    """A zombie is gone: it holds nothing any more, and its parent may take its time."""
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
