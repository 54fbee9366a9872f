"""What the engine's JSON says of a container, as an Instance. Pure.

Whether a container that rests was stopped or crashed is not written down by Docker; it is concluded (`resting`):

- paused, or created and not started: stopped; `error` then tells why a start failed;
- exit code 0, 130 (SIGINT) or 143 (SIGTERM): stopped;
- 137 (SIGKILL) without the out-of-memory flag: stopped if its policy would have brought it back, since then only a stop
  leaves it at rest; otherwise nobody can tell, and it counts as crashed;
- anything else: crashed, also when it was stopped in the middle of a crash loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from llmstack.domain.instance import NO_NETWORK, PAUSED, Instance, State
from llmstack.domain.resources import Resources
from llmstack.engines.addresses import ANYWHERE
from llmstack.engines.docker.body import project
from llmstack.engines.labels import STACK, parse

KILLED, ENDED_WELL = 137, (0, 130, 143)
BUSY = ("running", "paused", "restarting")
Json = Mapping[str, Any]


def from_row(row: Json, host: str) -> Instance:
    """The instance of one row of the list call; only a row that runs is told in full."""
    status = str(row.get("State", "")).lower()
    name = container_name(row)
    return _instance(
        row.get("Labels") or {},
        host,
        id=str(row.get("Id", "")),
        container_name=name,
        state={"running": State.STARTING, "restarting": State.CRASHED}.get(status, State.STOPPED),
        running=status == "running",
        image=row.get("Image"),
        image_id=row.get("ImageID"),
        port=min(published(row), default=None),
        created_at=row.get("Created") if isinstance(row.get("Created"), int | float) else None,
        error=_trouble(status, row, row.get("Labels") or {}),
    )


def from_inspect(data: Json, host: str) -> Instance:
    """The instance of an inspect answer: everything that is known."""
    state, config, limits = data.get("State") or {}, data.get("Config") or {}, data.get("HostConfig") or {}
    status, code = str(state.get("Status", "")).lower(), state.get("ExitCode")
    ended = status not in ("running", "paused", "created", "configured")
    restarts = data.get("RestartCount")
    policy = restart_text(limits.get("RestartPolicy") or {})
    return _instance(
        config.get("Labels") or {},
        host,
        id=str(data.get("Id", "")),
        container_name=str(data.get("Name", "")).lstrip("/"),
        state=state_of(state, policy, restarts or 0),
        running=status == "running",
        image=config.get("Image"),
        image_id=data.get("Image"),
        pid=state.get("Pid") or None,
        port=_bound_port(limits.get("PortBindings") or {}),
        created_at=seconds(data.get("Created")),
        started_at=seconds(state.get("StartedAt")),
        finished_at=seconds(state.get("FinishedAt")) if ended else None,
        exit_code=code if ended else None,
        out_of_memory=state.get("OOMKilled"),
        restarts=restarts,
        restart_policy=policy,
        limits=_limits(limits),
        error=_trouble(status, data, config.get("Labels") or {}) or _error(status, state),
    )


def _limits(host_config: Json) -> Resources:
    """Those that can be changed while it runs."""
    cpus = host_config.get("NanoCpus") or 0
    return Resources(memory_bytes=host_config.get("Memory") or None, cpus=cpus / 1e9 or None)


def _error(status: str, state: Json) -> str | None:
    """Podman counts it as an error that somebody started what runs."""
    return None if status == "running" else state.get("Error") or None


def _trouble(status: str, data: Json, labels: Mapping[str, str]) -> str | None:
    """What keeps one of ours from its work though it was started, as far as the engine tells its networks."""
    networks = (data.get("NetworkSettings") or {}).get("Networks")
    lost = status == "running" and STACK in labels and networks is not None and project(labels[STACK]) not in networks
    return PAUSED if status == "paused" else NO_NETWORK if lost else None


def container_name(row: Json) -> str:
    """A list row's own name: links to other containers are names with more than one slash."""
    names = [str(name).lstrip("/") for name in row.get("Names") or ()]
    return next((name for name in names if "/" not in name), str(row.get("Id", ""))[:12])


def runs(row: Json) -> bool:
    """Whether a list row's container may hold ports."""
    return str(row.get("State", "")).lower() in BUSY


def published(row: Json, bind: str = "0.0.0.0") -> set[int]:
    """The ports of the host that a list row's container holds, as far as they are in the way of `bind`."""
    ports = (port for port in row.get("Ports") or () if port.get("PublicPort"))
    near = (bind, *ANYWHERE)
    return {port["PublicPort"] for port in ports if bind in ANYWHERE or (port.get("IP") or "0.0.0.0") in near}


def state_of(state: Json, policy: str, restarts: int) -> State:
    """What an inspect answer's `State` comes to; see the module's text for what rests."""
    status = str(state.get("Status", "")).lower()
    if status == "running":
        return State.STARTING
    if status in ("paused", "created", "configured"):
        return State.STOPPED
    if status == "restarting":
        return State.CRASHED
    return resting(state.get("ExitCode"), bool(state.get("OOMKilled")), policy, restarts)


def resting(exit_code: int | None, out_of_memory: bool, policy: str, restarts: int) -> State:
    """Stopped or crashed, for a container that ended and is not brought back."""
    if exit_code in ENDED_WELL:
        return State.STOPPED
    stopped = exit_code == KILLED and not out_of_memory and brings_back(policy, restarts)
    return State.STOPPED if stopped else State.CRASHED


def brings_back(policy: str, restarts: int) -> bool:
    """Whether the engine would start it again after a failure."""
    word, _, limit = policy.partition(":")
    return word in ("always", "unless-stopped") or (word == "on-failure" and (not limit or restarts < int(limit)))


def restart_text(policy: Json) -> str:
    """A restart policy as the inventory writes it, as in `on-failure:3`."""
    name, limit = policy.get("Name") or "no", policy.get("MaximumRetryCount") or 0
    return f"{name}:{limit}" if name == "on-failure" and limit else str(name)


def seconds(text: object) -> float | None:
    """Seconds since the epoch of the engine's RFC 3339 text; None for its year 1, and for what is no time."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.timestamp() if moment.year > 1 and moment.tzinfo else None


def _instance(written: Mapping[str, str], host: str, **facts: Any) -> Instance:
    labels = parse(written)
    spec = labels.spec
    facts["port"] = facts["port"] or (spec.host_port if spec else None)
    return Instance(
        service=labels.service or facts["container_name"],
        host=host,
        engine="docker",
        stack=labels.stack,
        spec=spec,
        schema=labels.schema,
        labels=dict(written),
        **facts,
    )


def _bound_port(bindings: Json) -> int | None:
    ports = [bind.get("HostPort") for binds in bindings.values() for bind in binds or ()]
    return min((int(port) for port in ports if port), default=None)
