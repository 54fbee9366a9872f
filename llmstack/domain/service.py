"""What the inventory says of a service, a model, and a service placed on a host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, replace
from typing import Any, Literal

from llmstack.domain.check import Check
from llmstack.domain.doc import doc
from llmstack.domain.host import Group, Host
from llmstack.domain.position import KeyPath, Position, Positions, Problem, locate, source_lines
from llmstack.domain.resources import Resources
from llmstack.domain.secret import Secret
from llmstack.domain.target import Target

EXTERNAL = "external"
_EXAMPLE = {"prompt": "What is the capital of France?", "text": "Paris"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """How a change rolls over the hosts of a service: `serial` at once (a number, or `25%` of them), and no further
    when more than `max_fail` have failed. Running requests have `drain_s` seconds to end before a stop."""

    serial: int | str = doc("How many hosts at once, or which part of them.", 2, "25%", default=1)
    max_fail: int = doc("Go no further when more than these have failed.", 1, default=0)
    drain_s: float = doc("Seconds for running requests to end before a stop.", 60, default=30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """A program that serves models, or a companion: one entry of `services:`, resolved for one host."""

    name: str
    type: str = doc("The plugin that knows this kind of service.", "ollama", "llamacpp", default=MISSING)
    engine: Literal["docker", "process"] | None = doc("How it runs; the host gives the default.", "docker", "process")
    image: str | None = doc("Container image.", "ollama/ollama:0.12.6")
    port: int | Literal["auto"] | None = doc(
        "Port on the host; `auto` picks a free one once; the type's own if left out.", 11434
    )
    bind: str = doc("Who may connect: `loopback`, `lan`, or an IP address.", "loopback", default="loopback")
    insecure: bool = doc("Allow `bind: lan` without an API key.", default=False)
    url: str | None = doc("An external service that llmstack uses, but does not run.", "http://127.0.0.1:11434")
    env: Mapping[str, str | Secret] = doc("Environment; a value may be a secret.", {"TZ": "UTC"}, default=dict)
    args: tuple[str, ...] = doc("Arguments added to the server's own.", ["--verbose"], default=())
    mounts: tuple[str, ...] = doc("`source:target[:ro]`.", ["/data:/data:ro"], default=())
    resources: Resources = doc("Memory, CPU and GPU limits.", default=Resources)
    restart: str = doc("`no`, `always`, `unless-stopped` or `on-failure[:N]`.", "no", default="unless-stopped")
    depends_on: tuple[str, ...] = doc("Services that must be ready first.", ["ollama"], default=())
    enabled: bool = doc("`false` is the durable off.", default=True)
    adopt: str | None = doc(
        "A container that somebody else made and llmstack looks after.",
        {"container": "my-ollama"},
        written={"container": str},
    )
    stateful: bool | None = doc("Its volumes are copied before a replace, so that it can go back; the type's own.")
    update: Update = doc("How a change rolls over its hosts.", {"serial": "25%", "max_fail": 1}, default=Update)
    ready_timeout_s: float | None = doc("Seconds without progress after which a start has failed.", 120)
    stall_timeout_s: float | None = doc(
        "Seconds without a byte after which a fetch is tried again; a few tries, then it failed.", 120
    )
    tags: tuple[str, ...] = doc("Words of your own, to tell one from another.", ["chat"], default=())
    options: Mapping[str, Any] = doc("The type's own options.", default=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """A model the user wants served: one entry of `models:`, resolved for one host."""

    name: str
    service: str = doc(
        "The service that serves it; without one it has a service of its own, and the keys of one.",
        "ollama",
        default=MISSING,
    )
    source: str | None = doc("`hf:`, `https:`, `file:`, `pkg:` or `ollama:`; else the type's own naming.", "llama3:8b")
    tags: tuple[str, ...] = doc("Words of your own, to tell one from another.", ["chat"], default=())
    aliases: tuple[str, ...] = doc("Other names that select it.", ["default"], default=())
    checks: tuple[Check, ...] = doc(
        "What its answers must be: the last rung of `up`, `update` and `health --deep`.", [_EXAMPLE], default=()
    )
    enabled: bool = doc("`false` is the durable off.", default=True)
    options: Mapping[str, Any] = doc("The type's own options.", default=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A service on one host with the models it serves there.

    `path` is where the service is written (`("services", "ollama")`, or `("models", "demo")` when a model brings its
    own); `own_model` is True in the latter case. `positions` are those that overrides make differ on this host.
    """

    service: ServiceSpec
    host: Host
    models: tuple[ModelSpec, ...] = ()
    path: KeyPath = ()
    own_model: bool = False
    positions: Positions = field(default_factory=dict, compare=False, repr=False)

    @property
    def engine(self) -> str:
        """What runs it: its own engine, else its host's; `external` when a `url:` says that somebody else does."""
        return EXTERNAL if self.service.url else self.service.engine or self.host.engine

    @property
    def target(self) -> Target:
        """`service@host`."""
        return Target(self.service.name, self.host.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """Everything wanted, resolved: hosts, groups and each service on each of its hosts.

    `groups` holds all hosts of each group, `tree` what stands directly in it; `sources` the text of each file,
    `plugins` the paths of the plugins that it brings along, `warnings` what is no mistake but probably not meant.
    """

    path: str | None
    stack: str
    hosts: Mapping[str, Host]
    groups: Mapping[str, tuple[str, ...]]
    placements: tuple[Placement, ...]
    tree: Mapping[str, Group] = field(default_factory=dict)
    positions: Positions = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    compose_labels: bool = True
    plugins: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def on(self, placement: Placement) -> Inventory:
        """The same, with the positions that hold for one placement."""
        if not placement.positions:
            return self
        return replace(self, positions={**self.positions, **placement.positions})


def problem_at(inventory: Inventory, path: KeyPath, code: str, message: str, fix: str, *, key: bool = False) -> Problem:
    """A mistake at the value of `path` (or at its key), with the line it stands on.

    A path that is not written down falls back to the nearest thing around it that is.
    """
    at: Position | None = locate(inventory.positions, path, key=key)
    lines = source_lines(inventory.sources.get(at.file, ""))[at.line - 1 : at.line] if at else []
    return Problem(code, message, at, fix, lines[0] if lines else None)
