"""Replace an instance so that the old one comes back when the new one does not get ready."""

from __future__ import annotations

from dataclasses import replace

from llmstack.core.context import Context
from llmstack.core.drain import drain
from llmstack.core.ladder import Climb
from llmstack.core.observe import PREVIOUS
from llmstack.core.starting import start_and_climb
from llmstack.core.stopping import STOP_GRACE_S, stop_for_good
from llmstack.domain.instance import InstanceSpec
from llmstack.domain.ladder import Ladder, Rung
from llmstack.domain.plan import Action
from llmstack.errors import LlmstackError
from llmstack.protocols import Engine


def replace_instance(action: Action, spec: InstanceSpec, engine: Engine, climb: Climb, context: Context) -> Ladder:
    """Rename the old one, create the new one beside it, hand over, prove, remove the old one.

    A ladder that is not ok means that the new one was removed and the old one runs again (if it ran before). Raises
    what create and start raise, after the same roll-back; the error's data then say `rolled_back`. An old one that
    already has its `.prev` name (a replace was killed) is taken as it is.
    """
    old = action.observed
    assert old is not None
    previous = spec.name + PREVIOUS
    drain(context, climb.wanted, old)
    if spec.host_port != old.port:
        engine.check_port(spec)
    if old.container_name != previous:
        engine.rename(old.container_name, previous)
    try:
        climb.there = engine.create(spec)
        climb.note(Rung.CREATED)
        stop_for_good(context, engine, replace(old, container_name=previous))
        engine.check_port(spec)
        ladder = start_and_climb(engine, climb, context)
    except LlmstackError as error:
        if not error.data.get("conflict"):  # else somebody else's instance has the name: not ours to remove
            roll_back(engine, spec.name, previous, was_running=old.running)
            error.data["rolled_back"] = True
        raise
    except BaseException:
        roll_back(engine, spec.name, previous, was_running=old.running)
        raise
    if not ladder.ok:
        roll_back(engine, spec.name, previous, was_running=old.running)
    else:
        engine.remove(previous)
    return ladder


def roll_back(engine: Engine, name: str, previous: str, *, was_running: bool) -> None:
    """Remove the new one; the old one gets its name back and runs as before.

    Raises LlmstackError naming what is left when the engine refuses even that.
    """
    try:
        if engine.inspect(name) is not None:
            engine.stop(name, STOP_GRACE_S)
            engine.remove(name)
        engine.rename(previous, name)
        if was_running:
            engine.start(name)
    except LlmstackError as error:
        raise LlmstackError(
            f"could not bring back {name}: {error.message}", f"the old one is {previous}", cause=error.message
        ) from error
