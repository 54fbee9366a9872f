"""PURE: the parts that every plan is made of: an action, and what stands in the way of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from llmstack.core.desired import Wanted
from llmstack.core.observe import Observed
from llmstack.domain.instance import NO_NETWORK, PAUSED, Instance, InstanceSpec, State
from llmstack.domain.newer import newer
from llmstack.domain.plan import Action, ActionKind, FieldChange
from llmstack.domain.server import Life
from llmstack.domain.service import ModelSpec
from llmstack.errors import LlmstackError, PreflightError, UnreachableError, UsageError

SIGKILLED = 137
"""The exit code of what SIGKILL ended."""
IN_IT = "a process in it ran out of memory"


def act(kind: ActionKind, wanted: Wanted, reason: str, **more: Any) -> Action:
    """An action on a placement; `more` are fields of Action."""
    return Action(**{"kind": kind, "target": wanted.target, "reason": reason, "placement": wanted.placement, **more})


def act_on_model(kind: ActionKind, wanted: Wanted, reason: str, model: ModelSpec, **more: Any) -> Action:
    """An action on one model of a placement."""
    return act(kind, wanted, reason, target=wanted.target_of(model), model=model, **more)


def begin(
    kind: ActionKind,
    wanted: Wanted,
    spec: InstanceSpec,
    reason: str,
    *,
    observed: Observed,
    there: Instance | None = None,
    differences: Sequence[FieldChange] = (),
) -> Action:
    """An action that starts something, on the copies in force of its volumes, with what must be fetched first."""
    facts = observed.told(wanted.target)
    needs = facts.needs
    if facts.volumes:
        spec = spec.with_decided(volumes=facts.volumes)
        reason += f"; mounts {', '.join(facts.volumes.split())}" * (kind is ActionKind.CREATE)
    if kind is ActionKind.START:  # its image is in it already
        needs = tuple(need for need in needs if need.kind != "image")
    return act(kind, wanted, reason, observed=there, spec=spec, changes=tuple(differences), needs=needs)


def unable(wanted: Wanted, error: LlmstackError) -> Action:
    """Refused or unreachable, and why."""
    kind = ActionKind.UNREACHABLE if isinstance(error, UnreachableError) else ActionKind.REFUSED
    return act(kind, wanted, error.message, error=error)


def blocked(wanted: Wanted, observed: Observed) -> Action | None:
    """Why nothing can be done with a placement at all."""
    place = (wanted.target.host, wanted.engine)
    if place in observed.errors:
        return unable(wanted, observed.errors[place])
    if wanted.error and not wanted.off:
        return unable(wanted, wanted.error)
    there = observed.find(wanted)
    error = not_adoptable(wanted, there) if wanted.adopted else there and (newer(there) or _foreign(there))
    return unable(wanted, error) if error else None


def not_adoptable(wanted: Wanted, there: Instance | None) -> LlmstackError | None:
    """Why the container that is to be adopted cannot be."""
    if there is None:
        message = f"{wanted.target}: there is no container '{wanted.container_name}' to adopt"
        return PreflightError(message, "start it the way it was made, or take `adopt:` away")
    if there.spec is None and there.schema is None:
        return None
    return UsageError(f"{wanted.target}: '{there.container_name}' is llmstack's own", "take `adopt:` away")


def _foreign(there: Instance) -> LlmstackError | None:
    if there.spec is not None:
        return None
    message = f"{there.container_name} is there, but carries no label of llmstack's"
    return UsageError(message, "remove or rename it, or give the service another name")


def broken(wanted: Wanted, observed: Observed) -> Action | None:
    """Why a start cannot succeed."""
    error = observed.told(wanted.target).broken
    return unable(wanted, error) if error else None


def silent(wanted: Wanted, observed: Observed) -> Action | None:
    """An external service that does not answer."""
    life = observed.told(wanted.target).life
    if not wanted.external or (life and life.life is not Life.SILENT):
        return None
    detail = f": {life.detail}" if life and life.detail else ""
    message = f"nothing answers at {wanted.placement.service.url}{detail}"
    hint = "llmstack does not run it: start it, or correct `url:`"
    return unable(wanted, UnreachableError(message, hint))


def astray(there: Instance, wanted: Iterable[Wanted]) -> str:
    """Why an instance is none of `wanted`; two inventories may have one name of a stack."""
    by = there.spec.inventory if there.spec else None
    mine = next((item.spec.inventory for item in wanted if item.spec), by)
    return f"not in the inventory, but made by {by} for the same stack" if by and by != mine else "not in the inventory"


def describe(there: Instance) -> str:
    """In a few words, what an instance is doing and why, as far as its engine tells."""
    return ", ".join(_described(there))


def _described(there: Instance) -> Iterator[str]:
    running = NO_NETWORK if there.error == NO_NETWORK else "running"
    yield PAUSED if there.error == PAUSED else there.state.value if there.state is not State.STARTING else running
    if there.exit_code is not None and there.over:
        yield f"exit {there.exit_code}"
    if there.out_of_memory:
        yield "out of memory" if there.exit_code == SIGKILLED and there.over else IN_IT
    if there.restarts:
        yield f"{there.restarts} restart{'' if there.restarts == 1 else 's'}"
