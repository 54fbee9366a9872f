"""What a run does with the volumes of a service beside mounting them: choose, copy, tidy up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from llmstack.core import archive
from llmstack.core.context import Context
from llmstack.core.fetching import followed
from llmstack.core.generations import copied, in_force, next_after, stateful, superseded
from llmstack.domain.instance import InstanceSpec
from llmstack.domain.leftover import Leftover, LeftoverKind
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action, ActionKind
from llmstack.domain.progress import counted
from llmstack.errors import LlmstackError
from llmstack.protocols import Ability, Engine

Fill = Callable[[str], None]
"""Fills the volumes of the instance that was created; it is given the name of the stopped one before it."""


def with_volumes(action: Action, spec: InstanceSpec, engine: Engine, context: Context) -> InstanceSpec:
    """`spec` with the volumes it is to mount: a fresh copy where a stateful one is replaced, or one gets other data.
    Copies that interrupted runs left go before there is another. Raises PreflightError.
    """
    if Ability.VOLUMES not in engine.abilities:
        return spec
    old = action.observed.spec if action.observed else None
    found = in_force(spec, {}, old, (spec,))
    if old is None or not (context.file or (action.kind is ActionKind.REPLACE and stateful(context.wanted_of(action)))):
        return found
    folders = archive.inspect(context.file).volumes if context.file else None
    drop_if_possible(found, engine, context)
    return next_after(found, engine.volumes(spec.stack), old, folders)


def fill_of(action: Action, spec: InstanceSpec, engine: Engine, context: Context) -> Fill | None:
    """How the volumes of `spec` get their content; None where the old one's are simply mounted again."""
    old = action.observed.spec if action.observed else None
    if old is None or not copied(spec, old):
        return None

    report, file = followed(partial(context.report, action.target), context.clock), context.file
    if file is None:
        return lambda previous: engine.copy_volumes(previous, spec, report)
    return lambda _: engine.write_volumes(spec.name, counted(archive.contents(file), file, report))


def tidy(action: Action, context: Context) -> Outcome:
    """Remove the copies that the instance has left behind."""
    there = action.observed
    assert there is not None
    assert there.spec is not None
    drop_superseded(there.spec, context.engine_at(action, there.engine))
    return Outcome(target=action.target, status=Status.CHANGED, reason=action.reason, action=action)


def drop_superseded(spec: InstanceSpec, engine: Engine, old: InstanceSpec | None = None) -> None:
    """Only what an instance of `spec` mounts stays, not what an old one did. Raises LlmstackError where somebody else
    uses one of the others."""
    for name in superseded(spec, engine.volumes(spec.stack), old):
        engine.discard(Leftover(LeftoverKind.VOLUME, name, f"data of {spec.service}", spec.stack))


def drop_if_possible(spec: InstanceSpec, engine: Engine, context: Context, old: InstanceSpec | None = None) -> None:
    """As `drop_superseded`; what cannot be done now is told, and the next `up` does it."""
    try:
        drop_superseded(spec, engine, old)
    except LlmstackError as error:
        context.warn(f"an old volume of {spec.target} stays: {error.message}")
