"""A service on a host: as it is wanted, and as an engine sees it."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Literal

from llmstack.domain.resources import AUTO, Auto, Resources
from llmstack.domain.secret import Sealed, Secret
from llmstack.domain.tabular import Tabular
from llmstack.domain.target import Target

SPEC_SCHEMA = 1
"""Version of the spec that instances carry; an older llmstack refuses what a newer one wrote."""

WHY = "why."
"""Before the name of a resource: the key in `decided` of the reason for it."""

PAUSED, NO_NETWORK = "paused", "without its network"
"""`error` of an instance that was frozen, and of one that runs where nobody reaches it."""


class State(StrEnum):
    """What an instance or model is doing; a closed list."""

    ABSENT = "absent"
    STOPPED = "stopped"
    STARTING = "starting"
    LOADING = "loading"
    READY = "ready"
    DEGRADED = "degraded"
    CRASHED = "crashed"
    UNREACHABLE = "unreachable"

    @property
    def active(self) -> bool:
        """The store's `status` column: ready and degraded are active, all else inactive."""
        return self in (State.READY, State.DEGRADED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """`source` is a path of the host, or the name of a volume when `volume` is True."""

    source: str
    target: str
    read_only: bool = False
    volume: bool = False

    @property
    def folder(self) -> str:
        """Where its content lies in an archive of the whole file system."""
        return posixpath.normpath(self.target).strip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model file that must lie on the host before a start.

    `path` is the file on the controller (or host, for a process); `fingerprint` identifies its content from any
    machine, or its source where that is to be fetched: then `size_bytes` is None, and the manifest beside it tells it;
    `volume_path` is where it lies below the weights volume of a container engine.
    """

    source: str
    path: str
    fingerprint: str
    size_bytes: int | None = None

    @property
    def remote(self) -> bool:
        """Whether it is fetched from elsewhere."""
        return self.size_bytes is None

    @property
    def volume_path(self) -> str:
        """`<fingerprint>/<file name>`, the same from every controller."""
        return f"{self.fingerprint}/{self.path.rsplit('/', 1)[-1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSpec:
    """Everything an engine needs to run one service on one host; travels on the instance as its label.

    `command` and `env` may hold the words `{port}`, `{listen}`, `{weights}` and `{threads}`, filled in when the
    instance is created (`settled`), so that a decided port or a path of this machine is no difference between two
    specs. `wish` is what the user asked for (flat: "options.ctx_size"), the rest is what the type made of it: only a
    changed wish is a reason to replace. `program` is argv[0..] of a process (`("python", "-m", ...)` means this
    interpreter); a container uses its image's entrypoint.
    """

    stack: str
    service: str
    host: str
    type: str
    engine: str
    image: str | None = None
    program: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret | Sealed] = field(default_factory=dict)
    port: int | Auto | None = None
    container_port: int | None = None
    bind: str = "127.0.0.1"
    mounts: tuple[Mount, ...] = ()
    weights: Weights | None = None
    resources: Resources = field(default_factory=Resources)
    restart: str = "unless-stopped"
    models: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    compose_labels: bool = True
    decided: Mapping[str, str] = field(default_factory=dict)
    wish: Mapping[str, object] = field(default_factory=dict)
    inventory: str | None = None

    @property
    def target(self) -> Target:
        """`service@host`."""
        return Target(self.service, self.host)

    @property
    def name(self) -> str:
        """The instance's name on its engine (container name): `llmstack-<stack>-<service>`."""
        return f"llmstack-{self.stack}-{self.service}"

    @property
    def host_port(self) -> int | None:
        """The port in force: the wanted one, or the one decided for `auto`; None while undecided or without one."""
        if self.port == "auto":
            decided = self.decided.get("port")
            return int(decided) if decided else None
        return self.port

    @property
    def volumes(self) -> tuple[Mount, ...]:
        """The mounts that hold data of its own: volumes it may write to."""
        return tuple(mount for mount in self.mounts if mount.volume and not mount.read_only)

    @property
    def sources(self) -> tuple[str, ...]:
        """The volumes that it names, its own or not, as the inventory writes them."""
        return tuple(mount.source for mount in self.mounts if mount.volume)

    def volume_name(self, mount: Mount) -> str:
        """The volume behind one of its mounts: the one of that name, or its copy that is in force.

        `decided["volumes"]` holds the copies, as in `data.2 cache.1`; a copy has the name of its volume, a dot and the
        number of its generation.
        """
        copies = self.decided.get("volumes", "").split()
        return next((name for name in copies if name.rpartition(".")[0] == mount.source), mount.source)

    @property
    def own(self) -> Mapping[str, str]:
        """Its `volumes`: how the inventory names each, and which one that is."""
        return {mount.source: self.volume_name(mount) for mount in self.volumes}

    def with_decided(self, **decided: str) -> InstanceSpec:
        """A copy in which more of what was `auto` is decided."""
        return replace(self, decided={**self.decided, **decided})

    def reopened(self, name: str) -> InstanceSpec:
        """A copy in which one decision is open again."""
        return replace(self, decided={key: value for key, value in self.decided.items() if key != name})

    @property
    def autos(self) -> tuple[str, ...]:
        """What is left open: `port`, and names of `Resources`."""
        return (*(("port",) if self.port == AUTO else ()), *self.resources.autos)

    @property
    def undecided(self) -> tuple[str, ...]:
        """The resources that are still open."""
        return tuple(name for name in self.resources.autos if name not in self.decided)

    @property
    def limits(self) -> Resources:
        """The resources in force; what is undecided, or was decided to have no limit, has none."""
        return replace(self.resources, **{name: _decided(name, self.decided) for name in self.resources.autos})

    @property
    def reasons(self) -> str:
        """Why its resources were decided as they are, in words."""
        return "; ".join(self.decided[WHY + name] for name in self.resources.autos if self.decided.get(WHY + name))

    def settled(self, **words: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
        """Command and environment with `{word}` replaced by each of `words`, and `{threads}` by the CPUs it may use."""
        cpus = self.limits.cpus
        words = {**words, "threads": str(max(1, int(cpus))) if isinstance(cpus, float | int) else "-1"}
        return tuple(_fill(part, words) for part in self.command), {
            key: _fill(value, words) for key, value in self.env.items()
        }


def _decided(name: str, decided: Mapping[str, str]) -> Any:
    text = decided.get(name, "")
    if name == "gpus":
        return tuple(text.split())
    return (float(text) if name == "cpus" else int(text)) if text else None


def _fill(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace("{" + word + "}", value)
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance(Tabular):
    """One instance as its engine reports it; None is unknown.

    `state` is what the engine alone can tell: stopped (paused, ended on purpose or never started), starting (it runs;
    whether it answers is the ladder's to prove), crashed (ended by itself, or restarting again and again).
    Times are seconds since the epoch. `container_name` is its name on the engine; `spec` is None when it carries no
    label of ours, or one of a newer schema (`schema`).
    """

    columns = ("container_name", "service", "host", "state", "image", "port", "restarts", "exit_code")

    id: str
    container_name: str
    service: str
    host: str
    engine: str
    state: State
    stack: str | None = None
    running: bool = False
    spec: InstanceSpec | None = None
    schema: int | None = None
    image: str | None = None
    image_id: str | None = None
    pid: int | None = None
    port: int | None = None
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    exit_code: int | None = None
    out_of_memory: bool | None = None
    restarts: int | None = None
    restart_policy: str | None = None
    limits: Resources | None = None
    error: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """Whether its last start has ended, also where it waits for the next one."""
        return not self.running or self.state is State.CRASHED

    @property
    def target(self) -> Target:
        """`service@host`."""
        return Target(self.service, self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Something that must be fetched or found before a start; `size_bytes` None while unknown. What `perhaps` is there
    all the same is seen only once its host is locked."""

    kind: Literal["image", "weights", "model"]
    name: str
    size_bytes: int | None = None
    perhaps: bool = False
