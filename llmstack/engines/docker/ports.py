"""Who holds a port of an engine's host: other containers, and processes where that is this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmstack.domain.instance import InstanceSpec
from llmstack.engines.docker.body import inner_port
from llmstack.engines.docker.rows import container_name, published
from llmstack.engines.labels import parse
from llmstack.errors import PreflightError

Rows = Iterable[Mapping[str, Any]]
DEFAULT = 8000
MOST = 1000


def holders(rows: Rows) -> dict[int, str]:
    """Port -> name of the container that publishes it, or that was promised it by its spec."""
    found: dict[int, str] = {}
    for row in rows:
        spec = parse(row.get("Labels") or {}).spec
        promised = {spec.host_port} if spec and spec.host_port else set()
        found |= dict.fromkeys(published(row) | promised, container_name(row))
    return found


def free(spec: InstanceSpec, rows: Rows, *, local: bool) -> int:
    """A port near the type's own that nobody holds. Raises PreflightError."""
    wish = inner_port(spec) or DEFAULT
    taken = {port for port, name in holders(rows).items() if name != spec.name}
    for port in range(wish, min(wish + MOST, 65536)):
        if port not in taken and not (local and process_error(spec.bind, port)):
            return port
    raise PreflightError(f"{spec.target}: no free port from {wish} on {spec.bind}", "set `port:` yourself")


def check(spec: InstanceSpec, rows: Rows, *, local: bool) -> None:
    """Raises PreflightError naming the holder of the wanted port, unless it is the instance itself."""
    port = spec.host_port
    if port is None:
        return
    running = {p: container_name(row) for row in rows for p in published(row)}
    holder = running.get(port)
    if holder is None and local and process_error(spec.bind, port):
        holder = process_holder(port)
    if holder not in (None, spec.name):
        raise PreflightError(
            f"{spec.target}: port {port} on {spec.bind} is taken by {holder}",
            "stop it, or set another `port:` (or `port: auto`)",
            port=port,
            holder=holder,
        )


def process_error(bind: str, port: int) -> bool:
    """Whether nobody can listen there now on this machine."""
    from llmstack.engines.process.processes import bind_error

    return bind_error(bind, port) is not None


def process_holder(port: int) -> str:
    """The process that listens there, in words."""
    from llmstack.engines.process.processes import listeners

    return next((str(one) for one in listeners() if one.port == port), "an unknown process")
