"""From the inventory and the types to what each engine should run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmstack.core.peers import peers_of
from llmstack.core.wish import wish_of
from llmstack.domain.instance import InstanceSpec, Mount
from llmstack.domain.names import is_loopback, nearest
from llmstack.domain.position import KeyPath, Problem
from llmstack.domain.secret import Secret
from llmstack.domain.server import ServedModel
from llmstack.domain.service import EXTERNAL, Inventory, ModelSpec, Placement, problem_at
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import ConfigError, InventoryError, LlmstackError, PluginError
from llmstack.modeltype import Family, Launch, LaunchRequest, ModelType, NoOptions, Peer
from llmstack.modeltype.options import parse_options
from llmstack.modeltype.registry import Registry

ADDRESSES = {"loopback": "127.0.0.1", "lan": "0.0.0.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A placement with what its type makes of it: `spec` to run, or `error` why it cannot be. `engine` is docker,
    process or external (a service that somebody else runs), `peers` what it was told of others."""

    placement: Placement
    engine: str
    type: ModelType | None = None
    options: Any = None
    spec: InstanceSpec | None = None
    error: LlmstackError | None = None
    peers: tuple[Peer, ...] = ()

    @property
    def target(self) -> Target:
        """`service@host`."""
        return self.placement.target

    @property
    def kind(self) -> ModelType:
        """Its type. Raises PluginError when there is none to be had."""
        if self.type is None:
            raise self.error or PluginError(f"{self.target} has no type", "repair its plugin")
        return self.type

    @property
    def needed_spec(self) -> InstanceSpec:
        """What to run. Raises why it cannot be."""
        if self.spec is None:
            raise self.error or PluginError(f"{self.target} cannot be run", "see `type:`")
        return self.spec

    @property
    def lazy(self) -> bool:
        """Its models come and go while it runs."""
        return self.type is not None and self.type.family is Family.LAZY

    @property
    def external(self) -> bool:
        """Somebody else runs it."""
        return self.engine == EXTERNAL

    @property
    def adopted(self) -> bool:
        """Somebody else made its container, and llmstack looks after it."""
        return self.placement.service.adopt is not None

    @property
    def container_name(self) -> str | None:
        """Its name on the engine; None where no engine runs it, or nothing can."""
        return self.placement.service.adopt or (self.spec.name if self.spec else None)

    @property
    def off(self) -> bool:
        """Durably switched off, by the service or by the one model it is for."""
        return not self.placement.service.enabled or (self.placement.own_model and not self.enabled_models())

    def find(self, model: ModelSpec, served: Iterable[ServedModel]) -> ServedModel | None:
        """The one of a server's models that is `model`."""
        name = self.kind.served_name(model)
        return next((one for one in served if self.kind.same_model(name, one.name)), None)

    def target_of(self, model: ModelSpec) -> Target:
        """`model@host`."""
        return Target(model.name, self.target.host, TargetKind.MODEL)

    def enabled_models(self) -> tuple[ModelSpec, ...]:
        """The models that should be served."""
        return tuple(model for model in self.placement.models if model.enabled)


def desire(inventory: Inventory, registry: Registry) -> tuple[Wanted, ...]:
    """Every placement, resolved by its type.

    Raises InventoryError with every mistake that only a type can find. What is wrong with one service's files or
    plugin stands in its `error`, so that the others go on.
    """
    problems: dict[object, Problem] = {}
    wanted = []
    for placement in inventory.placements:
        try:
            kind = registry.get(placement.service.type)
        except PluginError as error:
            wanted.append(Wanted(placement=placement, engine=placement.engine, error=error))
            continue
        found = tuple(_problems(inventory.on(placement), placement, kind, registry))
        if kind and not found:
            wanted.append(_want(inventory, placement, kind, registry))
            found = tuple(_refused(inventory, wanted[-1]))
        problems |= {(problem.code, problem.position, problem.message): problem for problem in found}
    problems |= {problem.message: problem for problem in _port_problems(inventory, wanted)}
    if problems:
        raise InventoryError(problems.values())
    return tuple(wanted)


@contextmanager
def mistakes_of_types_too(registry: Registry) -> Iterator[None]:
    """An InventoryError in the block gets what only the types find wrong in the part that could be read: unknown types
    and wrong options."""
    try:
        yield
    except InventoryError as error:
        if error.inventory is None:
            raise
        found: dict[object, Problem] = {}
        for placement in error.inventory.placements:
            for problem in _type_problems(error.inventory, placement, registry):
                found[problem.code, problem.position] = problem
        raise InventoryError(sorted((*error.problems, *found.values()), key=Problem.order)) from None


def _type_problems(inventory: Inventory, placement: Placement, registry: Registry) -> Iterator[Problem]:
    if placement.service.type:
        with suppress(PluginError):
            kind = registry.get(placement.service.type)
            found = _problems(inventory.on(placement), placement, kind, registry)
            yield from (problem for problem in found if problem.code in ("E030", "E031", "E037"))


def _refused(inventory: Inventory, item: Wanted) -> Iterator[Problem]:
    """What a type itself says that cannot be."""
    if type(item.error) is ConfigError and not item.off:
        there, path, fix = inventory.on(item.placement), item.placement.path, item.error.hint or ""
        yield problem_at(there, path, "E039", item.error.message, fix, key=True)


def _port_problems(inventory: Inventory, wanted: Sequence[Wanted]) -> Iterator[Problem]:
    """Ports that nobody wrote down, but two types have by themselves."""
    first: dict[tuple[str, int], Wanted] = {}
    for item in wanted:
        if item.off or item.spec is None or not isinstance(item.spec.port, int):
            continue
        other = first.setdefault((item.target.host, item.spec.port), item)
        binds = {item.spec.bind, other.spec.bind if other.spec else item.spec.bind}
        if other is not item and (len(binds) == 1 or ADDRESSES["lan"] in binds):
            message = f"port {item.spec.port} of {item.target} is also that of '{other.target.name}'"
            yield problem_at(inventory, item.placement.path, "E038", message, "write port: auto", key=True)


def fixed_ports(wanted: Iterable[Wanted]) -> set[tuple[str, int]]:
    """Every (host, port) that the inventory gives to somebody."""
    return {(item.target.host, item.spec.port) for item in wanted if item.spec and isinstance(item.spec.port, int)}


def _problems(
    inventory: Inventory, placement: Placement, kind: ModelType | None, registry: Registry
) -> Iterator[Problem]:
    service, path = placement.service, placement.path
    if kind is None:
        types = ", ".join(registry.names())
        suggestion = nearest(service.type, registry.names()) or "write one of these types"
        message = f"unknown type '{service.type}' (types: {types})"
        yield problem_at(inventory, (*path, "type"), "E030", message, suggestion)
        return
    engine = placement.engine
    if engine != EXTERNAL and engine not in kind.engines:
        able = " or ".join(sorted(kind.engines))
        message = f"type '{kind.name}' runs on {able}, not on {engine}"
        yield problem_at(inventory, (*path, "engine"), "E031", message, sorted(kind.engines)[0])
    keyless = kind.api_key_env and kind.api_key_env not in service.env
    if keyless and not service.insecure and not is_loopback(ADDRESSES.get(service.bind, service.bind)):
        message = f"'{service.name}' would be open to the network without a key"
        fix = f"set env.{kind.api_key_env}, or insecure: true"
        yield problem_at(inventory, (*path, "bind"), "E032", message, fix)
    yield from _option_problems(inventory, (*path, "options"), kind.Options, service.options)
    yield from _model_problems(inventory, placement, kind)


def _model_problems(inventory: Inventory, placement: Placement, kind: ModelType) -> Iterator[Problem]:
    models, path = placement.models, placement.path
    if kind.family is Family.COMPANION and models:
        message, fix = f"type '{kind.name}' serves no models", "name a service of another type"
        yield problem_at(inventory, ("models", models[0].name), "E033", message, fix, key=True)
    elif not kind.holds_many and len(models) > 1:
        message = f"a {kind.name} service holds one model, '{placement.service.name}' is given {len(models)}"
        fix = "give it a service of its own"
        yield problem_at(inventory, ("models", models[1].name), "E034", message, fix, key=True)
    elif kind.needs_source and not models and not placement.service.url:
        message = f"service '{placement.service.name}' has no model to serve"
        yield problem_at(inventory, path, "E035", message, "write it under models:, with its source", key=True)
    elif kind.needs_source and models and not models[0].source and not placement.service.url:
        message = f"model '{models[0].name}' has no source"
        yield problem_at(inventory, ("models", models[0].name), "E036", message, "write source: file:PATH", key=True)
    if not placement.own_model:
        for model in models:
            yield from _option_problems(inventory, ("models", model.name, "options"), NoOptions, model.options)


def _option_problems(inventory: Inventory, path: KeyPath, options: type, raw: Any) -> Iterator[Problem]:
    for mistake in parse_options(options, raw)[1]:
        near = nearest(mistake.name, mistake.choices) if mistake.unknown else None
        fix = near or ", ".join(mistake.choices) or mistake.fix
        yield problem_at(inventory, (*path, mistake.name), "E037", mistake.message, fix, key=mistake.unknown)


def _want(inventory: Inventory, placement: Placement, kind: ModelType, registry: Registry) -> Wanted:
    options, _ = parse_options(kind.Options, placement.service.options)
    base = Wanted(placement=placement, engine=placement.engine, type=kind, options=options)
    if base.external or base.adopted:
        return base
    try:
        with plugin_guard(kind.name):
            base = replace(base, peers=peers_of(inventory, placement, registry))
            return replace(base, spec=_launch(inventory, base))
    except LlmstackError as error:
        return replace(base, error=error)


@contextmanager
def plugin_guard(name: str) -> Iterator[None]:
    """What a plugin raises beside our own errors becomes a PluginError naming it."""
    try:
        yield
    except LlmstackError:
        raise
    except Exception as error:
        broken = f"plugin '{name}' raised {type(error).__name__}: {error}"
        raise PluginError(broken, "report it to its author") from error


def _launch(inventory: Inventory, wanted: Wanted) -> InstanceSpec:
    placement, kind = wanted.placement, wanted.kind
    request = LaunchRequest(
        stack=inventory.stack,
        service=placement.service,
        engine=wanted.engine,
        options=wanted.options,
        models=placement.models,
        peers=wanted.peers,
        base_dir=str(Path(inventory.path or ".").parent),
    )
    return replace(_spec(inventory, wanted, kind, kind.launch(request)), wish=wish_of(placement, wanted.peers))


def _spec(inventory: Inventory, wanted: Wanted, kind: ModelType, launch: Launch) -> InstanceSpec:
    service = wanted.placement.service
    return InstanceSpec(
        stack=inventory.stack,
        service=service.name,
        host=wanted.placement.host.name,
        type=kind.name,
        engine=wanted.engine,
        image=launch.image if wanted.engine == "docker" else None,
        program=launch.program if wanted.engine == "process" else (),
        command=launch.command,
        env={**launch.env, **{key: value for key, value in service.env.items() if isinstance(value, str)}},
        secrets={key: value for key, value in service.env.items() if isinstance(value, Secret)},
        port=kind.port if service.port is None else service.port,
        container_port=kind.container_port(service, wanted.options),
        bind=ADDRESSES.get(service.bind, service.bind),
        mounts=(*launch.mounts, *map(mount_of, service.mounts)),
        weights=launch.weights,
        resources=service.resources,
        restart=service.restart,
        models={model.name: kind.served_name(model) for model in wanted.placement.models},
        depends_on=service.depends_on,
        compose_labels=inventory.compose_labels,
        inventory=inventory.path,
    )


def mount_of(text: str) -> Mount:
    """`source:target[:ro]`; a source with a slash is a path, else the name of a volume."""
    source, target, *mode = text.split(":")
    return Mount(source=source, target=target, read_only=mode == ["ro"], volume="/" not in source)
