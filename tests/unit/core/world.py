"""A small world in memory: engines, model servers that do what a test says, types that speak to them, and a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from llmstack.core.context import Context
from llmstack.core.desired import Wanted, mount_of
from llmstack.domain.event import Event, EventType
from llmstack.domain.gpu import Gpu, Owner
from llmstack.domain.host import Host
from llmstack.domain.instance import Instance, InstanceSpec, Weights
from llmstack.domain.ladder import Rung, RungResult
from llmstack.domain.outcome import Outcome
from llmstack.domain.progress import Progress
from llmstack.domain.resources import Resources
from llmstack.domain.server import ChatChunk, Life, Liveness, ServedModel
from llmstack.domain.service import ModelSpec, Placement, ServiceSpec
from llmstack.errors import ServerError
from llmstack.modeltype import Family, Launch, LaunchRequest, ModelType, NoOptions
from llmstack.testing import FakeClock, FakeEngine

READY, LOADING = Liveness(Life.READY), Liveness(Life.LOADING, "503 loading model")
REFUSED, RESET = Liveness(Life.SILENT, "connection refused", port=False), Liveness(Life.SILENT, "reset")
FAILING = Liveness(Life.FAILING, "500 internal error")
ANSWER = (ChatChunk(text="42"), ChatChunk(done=True, tokens=2, tokens_per_s=50.0))


@dataclass
class Server:
    """What answers at one URL. `lives` are taken one by one, the last one stays; `before` is called with each request's
    name before it is answered."""

    lives: list[Liveness] = field(default_factory=lambda: [READY])
    models: dict[str, ServedModel] = field(default_factory=dict)
    chunks: tuple[ChatChunk, ...] = ANSWER
    errors: dict[str, ServerError] = field(default_factory=dict)
    before: Callable[[str], None] = lambda _: None
    registry: dict[str, str] = field(default_factory=dict)
    busy: list[int | None] = field(default_factory=lambda: [None])
    calls: list[str] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)

    def called(self, what: str) -> None:
        self.calls.append(what)
        self.before(what)
        if what.split(maxsplit=1)[0] in self.errors:
            raise self.errors[what.split(maxsplit=1)[0]]


@dataclass
class ScriptedClient:
    """Implements `protocols.LazyClient` over a `Server`."""

    base_url: str
    server: Server

    def liveness(self) -> Liveness:
        self.server.called("liveness")
        lives = self.server.lives
        return lives.pop(0) if len(lives) > 1 else lives[0]

    def version(self) -> str | None:
        self.server.called("version")
        return "1.0"

    def models(self) -> tuple[ServedModel, ...]:
        self.server.called("models")
        return tuple(self.server.models.values())

    def in_flight(self) -> int | None:
        self.server.called("in_flight")
        busy = self.server.busy
        return busy.pop(0) if len(busy) > 1 else busy[0]

    def chat(self, model: str, prompt: str, **_: Any) -> Any:
        self.server.called(f"chat {model}")
        yield from self.server.chunks

    def load(self, model: str, alive: Callable[[], bool] | None = None) -> None:
        self.server.called(f"load {model}")
        self.server.models[model] = replace(self.server.models[model], loaded=True)

    def unload(self, model: str) -> None:
        self.server.called(f"unload {model}")
        self.server.models[model] = replace(self.server.models[model], loaded=False)

    def pull(self, model: str, report: Callable[[Progress], None]) -> None:
        self.server.called(f"pull {model}")
        report(Progress(model, "pulling", 5, 10))
        digest = self.server.registry.get(model)
        self.server.models[model] = ServedModel(name=model, size_bytes=10, loaded=False, digest=digest)

    def size_bytes(self, model: str) -> int | None:
        self.server.called(f"size_bytes {model}")
        return self.server.sizes.get(model)

    def newest(self, model: str) -> str | None:
        self.server.called(f"newest {model}")
        return self.server.registry.get(model)

    def copy(self, model: str, name: str) -> None:
        self.server.called(f"copy {model} {name}")
        self.server.models[name] = replace(self.server.models[model], name=name, loaded=False)

    def remove(self, model: str) -> None:
        self.server.called(f"remove {model}")
        del self.server.models[model]


class ScriptedType(ModelType):
    """A type whose servers are in memory; `servers` by URL, ready at once where none was put there."""

    engines = frozenset({"docker", "process"})
    ready_timeout_s = 60.0

    def __init__(self, name: str, family: Family, servers: dict[str, Server], port: int | None = 8080) -> None:
        self.name, self.family, self.port, self.servers = name, family, port, servers  # type: ignore[misc]
        self.holds_many = family is Family.LAZY  # type: ignore[misc]

    def launch(self, request: LaunchRequest) -> Launch:
        return Launch(image=request.service.image or "image:1", program=("server",), command=request.service.args)

    def client(self, base_url: str, api_key: str | None, options: Any) -> ScriptedClient:
        return ScriptedClient(base_url, self.servers.setdefault(base_url, Server()))


@dataclass
class Gpus:
    """Implements `protocols.GpuReader`."""

    found: tuple[Gpu, ...] | None = ()
    reason: str | None = None
    owners: dict[int, Owner] = field(default_factory=dict)

    def gpus(self) -> tuple[Gpu, ...] | None:
        return self.found

    def owner(self, pid: int) -> Owner:
        return self.owners.get(pid, Owner())


@dataclass
class Ears:
    """Keeps every event."""

    heard: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.heard.append(event)

    def of(self, kind: EventType) -> list[Event]:
        return [event for event in self.heard if event.type is kind]


class World:
    """Engines by host and kind, servers by URL, and the placements that were wanted."""

    def __init__(self) -> None:
        self.clock, self.ears, self.gpus = FakeClock(), Ears(), Gpus()
        self.engines: dict[tuple[str, str], FakeEngine] = {}
        self.servers: dict[str, Server] = {}
        families = {"loader": Family.LOADING, "silent": Family.SILENT, "lazy": Family.LAZY, "page": Family.COMPANION}
        self.types = {name: ScriptedType(name, family, self.servers) for name, family in families.items()}
        self.all: dict[Any, Wanted] = {}

    def engine(self, host: str = "localhost", kind: str = "docker") -> FakeEngine:
        return self.engines.setdefault((host, kind), FakeEngine(host, kind=kind, clock=self.clock))

    def server(self, port: int = 8080) -> Server:
        return self.servers.setdefault(f"http://127.0.0.1:{port}", Server())

    def want(
        self,
        name: str = "demo",
        type_: str = "loader",
        *,
        host: str = "localhost",
        engine: str = "docker",
        models: tuple[str, ...] | None = None,
        port: int | str | None = 8080,
        depends_on: tuple[str, ...] = (),
        gpus: tuple[str, ...] = (),
        weights: Weights | None = None,
        **service: Any,
    ) -> Wanted:
        """A placement: its model is named like it unless `models` says which it has."""
        kind = self.types[type_]
        own = models is None and kind.family in (Family.LOADING, Family.SILENT)
        spec = ServiceSpec(
            name=name,
            type=type_,
            port=port,  # type: ignore[arg-type]
            depends_on=depends_on,
            resources=Resources(gpus=gpus),
            **service,
        )
        named = (name,) if own else models or ()
        placement = Placement(
            service=spec,
            host=Host(name=host),
            models=tuple(ModelSpec(name=each, service=name) for each in named),
            path=("models" if own else "services", name),
            own_model=own,
        )
        external = spec.url is not None
        wanted = Wanted(
            placement=placement,
            engine="external" if external else engine,
            type=kind,
            options=NoOptions(),
            spec=None if external else self.spec(placement, engine, weights),
        )
        self.all[wanted.target] = wanted
        return wanted

    @staticmethod
    def spec(placement: Placement, engine: str, weights: Weights | None) -> InstanceSpec:
        service = placement.service
        return InstanceSpec(
            stack="lab",
            service=service.name,
            host=placement.host.name,
            type=service.type,
            engine=engine,
            image="image:1",
            command=service.args,
            port=service.port,
            container_port=8080,
            mounts=tuple(map(mount_of, service.mounts)),
            resources=service.resources,
            restart=service.restart,
            weights=weights,
            models={model.name: model.name for model in placement.models},
            depends_on=service.depends_on,
            wish={"type": service.type, "port": service.port, "args": list(service.args)},
        )

    def run(self, wanted: Wanted) -> Instance:
        """Create and start the instance of a placement, as an earlier run would have."""
        assert wanted.spec is not None
        engine = self.engine(wanted.target.host, wanted.engine)
        undecided = wanted.spec.port == "auto" and wanted.spec.host_port is None
        engine.create(wanted.spec.with_decided(port="8080") if undecided else wanted.spec)
        engine.start(wanted.spec.name)
        engine.calls.clear()
        return engine.instances[wanted.spec.name]

    def context(self, task: str = "up", **more: Any) -> Context:
        return Context(
            task=task,
            engine_of=lambda host, kind: self.engine(host.name, kind),
            clock=self.clock,
            sink=self.ears,
            gpus=self.gpus,
            wanted=self.all,
            hosts={item.placement.host.name: item.placement.host for item in self.all.values()},
            stack="lab",
            **more,
        )

    def rungs(self) -> list[Rung]:
        return [event.data["rung"].rung for event in self.ears.of(EventType.RUNG)]  # type: ignore[attr-defined]


def marks(rungs: tuple[RungResult, ...]) -> dict[str, bool | None]:
    """Rung -> whether it holds."""
    return {result.rung.value: result.ok for result in rungs}


def statuses(outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    """Target -> status."""
    return {str(outcome.target): outcome.status.value for outcome in outcomes}


def refuse(kind: str = "refused", message: str = "connection refused", **more: Any) -> ServerError:
    return ServerError(message, kind=kind, **more)
