"""Model servers of this machine that are not ours."""

from __future__ import annotations

import contextlib
from collections.abc import Collection

import psutil

from llmstack.domain.instance import Instance, State
from llmstack.engines.ports import Listener, listeners
from llmstack.engines.process.look import KIND

NAMES = ("ollama", "llama-server", "vllm", "xllamacpp", "llama_server")
"""Words of a program's path or of the module that python runs."""
PORTS = {11434: "ollama", 8080: "llama-server", 8000: "vllm"}
"""Usual ports; they count only where the rights do not show who listens."""


def strangers(host: str, ours: Collection[int]) -> tuple[Instance, ...]:
    """Who listens and looks like a model server; `ours` are the pids of our own instances."""
    found: dict[int, Instance] = {}
    for listener in listeners():
        kind = PORTS.get(listener.port) if listener.pid is None else _kind(listener.pid)
        if kind and listener.pid not in ours:
            found.setdefault(listener.port, _instance(kind, listener, host))
    return tuple(found[port] for port in sorted(found))


def _kind(pid: int) -> str | None:
    """The known word in what a process runs: its program, and the modules or script python was given."""
    with contextlib.suppress(psutil.Error, OSError):
        words = " ".join(psutil.Process(pid).cmdline()[:4])
        return next((name for name in NAMES if name in words), None)
    return None


def _instance(kind: str, listener: Listener, host: str) -> Instance:
    return Instance(
        id=str(listener.pid or f"port-{listener.port}"),
        container_name=listener.name or kind,
        service=kind,
        host=host,
        engine=KIND,
        state=State.STARTING,
        running=True,
        pid=listener.pid,
        port=listener.port,
        started_at=listener.started_at,
    )
