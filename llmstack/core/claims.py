"""Which volumes a placement is to mount, what is left of older ones, and who is in the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.generations import in_force, stateful, superseded
from llmstack.core.observe import Observed
from llmstack.domain.instance import Instance, InstanceSpec
from llmstack.errors import LlmstackError, PreflightError
from llmstack.protocols import Ability, Engine


def volumes(wanted: Wanted, made: InstanceSpec | None, observed: Observed, context: Context) -> str:
    """Which copies of the volumes that it names are in force in its stack. Raises PreflightError."""
    engine, spec = context.engine(wanted), wanted.needed_spec
    if not spec.sources or Ability.VOLUMES not in engine.abilities:
        return ""
    others = [row.spec for row in _beside(spec, observed) if row.spec]
    known = [*others, *(item.spec for item in context.wanted.values() if item.spec)]
    literal = {source for each in known for source in each.sources} - {*spec.sources}
    there = {name: service for name, service in engine.volumes(spec.stack).items() if name not in literal}
    return in_force(spec, there, made, others).decided.get("volumes", "")


def left_behind(wanted: Wanted, spec: InstanceSpec, engine: Engine) -> tuple[str, ...]:
    """Copies that an instance of `spec` does not mount; asked only where there may be some."""
    return superseded(spec, engine.volumes(spec.stack)) if stateful(wanted) or "volumes" in spec.decided else ()


def unfit(wanted: Wanted, engine: Engine, context: Context) -> LlmstackError | None:
    """Why what is stateful cannot be copied, if so."""
    if not stateful(wanted):
        return None
    if Ability.VOLUMES not in engine.abilities:
        message = f"{wanted.target} is stateful, and the {engine.kind} engine has no volumes to copy"
        return PreflightError(message, "engine: docker, or stateful: false")
    mine = {mount.source for mount in wanted.needed_spec.volumes}
    if not mine:
        message = f"{wanted.target} is stateful, but has no volume of its own"
        return PreflightError(message, 'give it one, as in mounts: ["data:/data"], or write stateful: false')
    for other in context.wanted.values():
        near = other.spec is not None and other.target.host == wanted.target.host and other.target != wanted.target
        shared = mine & {*other.spec.sources} if near and other.spec else ()
        if shared:
            message = f"{other.target} mounts volume {min(shared)} too, and would lose sight of it after a copy"
            return PreflightError(f"{wanted.target} is stateful, but {message}", "stateful: false, or a volume each")
    return None


def check_alone(wanted: Wanted, sharers: Mapping[str, str]) -> None:
    """Raises PreflightError where somebody else mounts a volume that a copy is to follow, now or later."""
    for volume, other in sorted(sharers.items()):
        message = f"{wanted.target} is to have volume {volume} for itself, but {other} mounts it too"
        raise PreflightError(message, "a volume each, or stateful: false", volume=volume, holder=other)


def shared(spec: InstanceSpec, observed: Observed) -> dict[str, str]:
    """The volumes of its own that others of its stack have in use, and the name of one who has."""
    found = {}
    for row in _beside(spec, observed):
        for mount in row.spec.mounts if row.running and row.spec else ():
            if mount.volume and row.spec:
                found[row.spec.volume_name(mount)] = row.container_name
    return {name: found[name] for name in found.keys() & {*spec.own.values()}}


def _beside(spec: InstanceSpec, observed: Observed) -> Iterator[Instance]:
    """Of the other services of its stack, what is there on the same engine."""
    for row in observed.rows():
        if (row.host, row.engine) == (spec.host, spec.engine) and row.target != spec.target:
            yield row
