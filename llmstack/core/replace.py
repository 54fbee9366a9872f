"""Replace an instance so that the old one comes back when the new one does not get ready."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from llmstack.core.context import Context, quiet
from llmstack.core.drain import drain
from llmstack.core.interrupt import CUT_SHORT
from llmstack.core.ladder import Climb
from llmstack.core.observe import PREVIOUS
from llmstack.core.starting import start_and_climb
from llmstack.core.stopping import STOP_GRACE_S, stop_for_good
from llmstack.core.volumes import Fill, drop_if_possible
from llmstack.domain.instance import Instance, InstanceSpec
from llmstack.domain.ladder import Ladder, Rung
from llmstack.domain.plan import Action
from llmstack.errors import LlmstackError
from llmstack.protocols import Engine


def replace_instance(
    action: Action, spec: InstanceSpec, climb: Climb, context: Context, fill: Fill | None = None
) -> Ladder:
    """Rename the old one, create the new one beside it, hand over, prove, remove the old one.

    With `fill` the new one has volumes of its own, which are filled before it starts; those of whichever goes in the
    end go with it. A ladder that is not ok means that the new one was removed and the old one runs again (if it ran
    before). Raises what create and start raise, after the same roll-back; the error's data then say `rolled_back`. An
    old one that already has its `.prev` name (a replace was killed) is taken as it is.
    """
    old, engine = action.observed, context.engine(climb.wanted)
    assert old is not None
    change = _Change(engine, climb, spec, old, own_volumes=fill is not None)
    drain(context, climb.wanted, old)
    if spec.host_port != old.port:
        engine.check_port(spec)
    with change.undone_if_broken():
        if old.container_name != change.previous:
            engine.rename(old.container_name, change.previous)
        climb.there = engine.create(spec)
        climb.note(Rung.CREATED)
        stop_for_good(context, engine, replace(old, container_name=change.previous))
        if fill:
            fill(change.previous)
        engine.check_port(spec)
        ladder = start_and_climb(engine, climb, context)
    if ladder.ok:
        change.settle()
    else:
        change.undo()
    return ladder


@dataclass(frozen=True, slots=True)
class _Change:
    """An old instance and the new one that is to take its place."""

    engine: Engine
    climb: Climb
    spec: InstanceSpec
    old: Instance
    own_volumes: bool

    @property
    def previous(self) -> str:
        """The old one's name meanwhile."""
        return self.spec.name + PREVIOUS

    @contextmanager
    def undone_if_broken(self) -> Iterator[None]:
        """Whatever ends the block, the old one is back, and an error of ours says so."""
        try:
            yield
        except LlmstackError as error:
            if not error.data.get("conflict"):  # else somebody else's instance has the name: not ours to remove
                self.undo()
                error.data |= {"rolled_back": True, "state": brought_back(self.climb, self.spec.name)}
                error.message += f"; {error.data['state']}"
            raise
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """The old one, as it was; one that a killed replace left had been stopped by that."""
        ran = self.old.running or self.old.container_name == self.previous
        roll_back(self.engine, self.spec.name, self.old, was_running=ran)
        if self.own_volumes and self.old.spec:
            drop_if_possible(self.old.spec, self.engine, self.climb.context)

    def settle(self) -> None:
        """The new one alone, and its image under the name that the next create asks for; what cannot be removed now is
        told, and the next `up` does it."""
        pin, image = self.spec.decided.get("image"), self.spec.image or "@"
        try:
            if pin and "@" not in image:
                self.engine.tag(pin, image)
            self.engine.remove(self.previous)
        except LlmstackError as error:
            message = f"{self.previous} stays, at rest, until the next up: {error.message}"
            self.climb.context.warn(message, self.climb.target)
            return
        if self.own_volumes:
            drop_if_possible(self.spec, self.engine, self.climb.context, self.old.spec)


def brought_back(climb: Climb, name: str) -> str:
    """In words, that the old one is back, and whether it is ready again; `climb` is that of the new one."""
    there = climb.context.engine(climb.wanted).inspect(name)
    if there is None or not there.running:
        return "the old one is back"
    again = Climb(context=quiet(climb.context), wanted=climb.wanted, target=climb.target, there=there)
    try:
        fall = again.climb(Rung.LOADED).why
    except CUT_SHORT:
        return "the old one is back and runs; it was not waited for"
    return f"the old one is back, but not ready: {fall.summary}" if fall else "the old one is back and ready"


def roll_back(engine: Engine, name: str, old: Instance, *, was_running: bool) -> None:
    """Remove the new one; the old one gets its name back, unless it never lost it, and runs as before.

    Raises LlmstackError naming what is left when the engine refuses even that.
    """
    previous = name + PREVIOUS
    try:
        there = engine.inspect(name)
        if there is not None and there.id != old.id:
            engine.stop(name, STOP_GRACE_S)
            engine.remove(name)
        if there is None or there.id != old.id:
            engine.rename(previous, name)
        if was_running:
            engine.start(name)
    except LlmstackError as error:
        raise LlmstackError(
            f"could not bring back {name}: {error.message}",
            f"the old one is {previous}: llmstack up brings one of them to a good end",
            cause=error.message,
        ) from error
