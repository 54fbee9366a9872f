"""Who holds a port of an engine's host: other containers, and processes where that is this machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from llmstack.domain.instance import InstanceSpec
from llmstack.engines import ports
from llmstack.engines.docker.body import inner_port
from llmstack.engines.docker.rows import container_name, published
from llmstack.engines.labels import parse

Rows = Iterable[Mapping[str, Any]]


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
    others = {port for port, name in holders(rows).items() if name != spec.name}
    return ports.free(spec, inner_port(spec), others, local=local)


def check(spec: InstanceSpec, rows: Rows, *, local: bool) -> None:
    """Raises PreflightError naming the holder of the wanted port, unless it is the instance itself."""
    port = spec.host_port
    if port is None:
        return
    holder = next((container_name(row) for row in rows if port in published(row)), None)
    if holder is None and local and (error := ports.bind_error(spec.bind, port)):
        raise ports.refused(spec, error)
    if holder not in (None, spec.name):
        raise ports.taken(spec, holder)
