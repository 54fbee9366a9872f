"""What a model type is: one class per kind of service, declarative where it can be, pure everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from llmstack.domain.instance import InstanceSpec, Mount, Weights
from llmstack.domain.service import ModelSpec, ServiceSpec
from llmstack.modeltype.families import Family
from llmstack.modeltype.options import NoOptions
from llmstack.protocols import Client

if TYPE_CHECKING:
    from llmstack.domain.footprint import Footprint
    from llmstack.modeltype.failures import FailureRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A service that another one depends on; `url` is its base URL as seen from the dependant."""

    name: str
    type: str
    family: Family
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """What a type is asked to launch. `options` is an instance of the type's Options; `base_dir` is the inventory's
    folder, for relative paths."""

    stack: str
    service: ServiceSpec
    engine: str
    options: Any
    models: Sequence[ModelSpec] = ()
    peers: Sequence[Peer] = ()
    base_dir: str = "."

    def volume(self, target: str) -> Mount:
        """A volume of the service's own, which outlives its containers."""
        return Mount(source=f"llmstack-{self.stack}-{self.service.name}", target=target, volume=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to run: an image with arguments for a container engine, a program with arguments for a process.

    `command` and `env` may hold `{port}` (where to listen), `{listen}` (on which address) and `{weights}` (the model
    file, as the server sees it).
    """

    image: str | None = None
    program: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    weights: Weights | None = None


class ModelType:
    """Base of all types; a subclass sets the class attributes and fills in `launch` and `client`.

    `engines`: where it can run. `holds_many`: several models in one service. `api_key_env`: the variable by which the
    server takes an API key, None if it knows none. `stateful`: its volumes hold what users made, and a replace copies
    them first, unless the service says otherwise. `ready_timeout_s`: seconds without progress after which a start
    has failed. `cures`: by the kind of a FetchError, a command beside the server after which a pull may go well.
    """

    name: ClassVar[str]
    family: ClassVar[Family]
    port: ClassVar[int | None] = None
    image: ClassVar[str | None] = None
    engines: ClassVar[frozenset[str]] = frozenset({"docker"})
    holds_many: ClassVar[bool] = False
    stateful: ClassVar[bool] = False
    needs_source: ClassVar[bool] = False
    api_key_env: ClassVar[str | None] = None
    ready_timeout_s: ClassVar[float] = 120.0
    cures: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    Options: ClassVar[type] = NoOptions
    failures: ClassVar[tuple[FailureRule, ...]] = ()

    def launch(self, request: LaunchRequest) -> Launch:
        """What to run for `request`; pure but for looking at model files.

        Raises ConfigError for what cannot be, PreflightError for a file that is not there.
        """
        return Launch(image=request.service.image or self.image, command=request.service.args)

    def client(self, base_url: str, api_key: str | None, options: Any) -> Client:
        """A client for a server of this type, which was launched with `options`."""
        raise NotImplementedError  # pragma: no cover - the contract suite runs every plugin's own

    def served_name(self, model: ModelSpec) -> str:
        """What the server calls this model."""
        return model.source or model.name

    def same_model(self, name: str, other: str) -> bool:
        """Whether two names mean the same model of a server."""
        return name == other

    def preflight(self, spec: InstanceSpec) -> None:
        """Look closer at what a start needs, before anything is changed. Raises PreflightError."""

    def footprint(self, spec: InstanceSpec, options: Any) -> Footprint | None:
        """How much memory its model takes, as far as its file tells before a start."""
        return None

    def container_port(self, service: ServiceSpec, options: Any) -> int | None:
        """The port the server listens on inside its container."""
        return self.port
