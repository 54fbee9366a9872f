"""Who holds a name or port of an engine's host: other containers, and processes where that is this machine."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from typing import Any

from llmstack.domain.instance import InstanceSpec
from llmstack.engines import ports
from llmstack.engines.docker.body import inner_port
from llmstack.engines.docker.rows import container_name, published, runs
from llmstack.engines.labels import ROLE, SERVE, STACK, parse
from llmstack.errors import PreflightError

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
    who = next((container_name(row) for row in rows if runs(row) and port in published(row, spec.bind)), None)
    if who is None and local and (error := held(spec.bind, port)):
        raise ports.refused(spec, error)
    if who not in (None, spec.name):
        raise ports.taken(spec, who)


def held(bind: str, port: int) -> OSError | None:
    """Why the engine cannot publish it there now, as far as that is seen from here; it may have rights that we lack."""
    error = ports.bind_error(bind, port)
    return None if error and error.errno == errno.EACCES else error


def holder(bind: str, port: int) -> str | None:
    """Who still has it on this machine, in words; None when it is free."""
    return ports.holder(bind, port) if held(bind, port) else None


def check_name(spec: InstanceSpec, rows: Rows) -> None:
    """Raises PreflightError naming the container that has the name of `spec` and is none of its stack's."""
    there = next((row for row in rows if container_name(row) == spec.name), None)
    labels = (there or {}).get("Labels") or {}
    if there is None or (labels.get(ROLE), labels.get(STACK)) == (SERVE, spec.stack):
        return
    what = f"{spec.target}: the name {spec.name} is taken by a container of "
    if ROLE in labels:
        hint = "give the service or the stack another name"
        raise PreflightError(f"{what}stack {labels.get(STACK)}", hint, holder=spec.name)
    hint = f"docker rm -f {spec.name}, or to have it looked after, adopt: {{container: {spec.name}}}"
    raise PreflightError(f"{what}somebody else (image {there.get('Image')})", hint, holder=spec.name)
