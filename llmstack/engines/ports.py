"""Ports of this machine: who listens, what is free, and the error for one that is taken."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import psutil

from llmstack.domain.instance import InstanceSpec
from llmstack.engines.addresses import ANYWHERE
from llmstack.engines.process.files import LABELS
from llmstack.errors import PreflightError

DEFAULT, MOST, UNPRIVILEGED = 8000, 1000, 1024


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that listens on `port`; all else None where the rights do not show it."""

    port: int
    address: str
    pid: int | None = None
    name: str | None = None
    started_at: float | None = None

    def __str__(self) -> str:
        return f"{self.name or 'process'} (pid {self.pid})" if self.pid else "a process of another user"


def listeners() -> tuple[Listener, ...]:
    """All listening TCP sockets; empty where the system tells nobody (macOS without rights)."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return ()
    return tuple(
        _listener(connection.laddr.port, connection.laddr.ip, connection.pid)
        for connection in connections
        if connection.laddr and connection.status == psutil.CONN_LISTEN
    )


def _listener(port: int, address: str, pid: int | None) -> Listener:
    with contextlib.suppress(psutil.Error):
        if pid:
            process = psutil.Process(pid)
            return Listener(port, address, pid, process.name(), process.create_time())
    return Listener(port, address, pid)


def holders(address: str, port: int) -> list[Listener]:
    """Who stands in the way of listening there: on that address, or on all of them."""
    found = [listener for listener in listeners() if listener.port == port]
    return found if address in ANYWHERE else [one for one in found if one.address in (address, *ANYWHERE)]


def holder(address: str, port: int) -> str:
    """The first of them in words."""
    return next(map(_told, holders(address, port)), "an unknown process")


def _told(listener: Listener) -> str:
    """A server of the process engine by its instance's name: it may be of another stack."""
    with contextlib.suppress(psutil.Error, OSError):
        folder = Path(psutil.Process(listener.pid).cwd()) if listener.pid else None
        if folder and (folder / LABELS).exists():
            return f"{folder.name} (pid {listener.pid})"
    return str(listener)


def bind_error(address: str, port: int) -> OSError | None:
    """Why nobody can listen there now; None when it is free."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: old connections do not count
        try:
            probe.bind((address, port))
        except OSError as error:
            return error
    return None


def free(spec: InstanceSpec, wish: int | None, others: Collection[int], *, local: bool = True) -> int:
    """The first port from `wish` upward that is not in `others`, nor (`local`) held on this machine; those below 1024
    are for the system. Raises PreflightError."""
    wish = wish if wish and wish >= UNPRIVILEGED else DEFAULT
    for port in range(wish, min(wish + MOST, 65536)):
        if port not in others and not (local and bind_error(spec.bind, port)):
            return port
    raise PreflightError(f"{spec.target}: no free port from {wish} on {spec.bind}", "set `port:` yourself")


def taken(spec: InstanceSpec, who: str) -> PreflightError:
    """The error for a spec whose port `who` has."""
    return PreflightError(
        f"{spec.target}: port {spec.host_port} on {spec.bind} is taken by {who}",
        "stop it, or set another `port:` (or `port: auto`)",
        port=spec.host_port,
        holder=who,
    )


def refused(spec: InstanceSpec, error: OSError) -> PreflightError:
    """The error for a spec whose port this machine refuses."""
    if error.errno == errno.EADDRINUSE:
        return taken(spec, holder(spec.bind, spec.host_port or 0))
    return PreflightError(
        f"{spec.target}: cannot listen on {spec.bind}:{spec.host_port}: {error.strerror}", "see `bind:`, `port:`"
    )


def memory_bytes() -> int:
    """The memory of this machine."""
    return int(psutil.virtual_memory().total)
