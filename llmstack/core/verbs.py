"""One function per kind of action: calls the engine and the server, climbs the ladder, returns the outcome.

A start that fails its ladder is stopped, so that no crash loop stays behind, and kept, so that its log can be read. A
create that cannot start, or is interrupted, is removed again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from llmstack.core import model_verbs
from llmstack.core.backup import backup
from llmstack.core.context import Context, urls
from llmstack.core.desired import Wanted
from llmstack.core.drain import drain
from llmstack.core.generations import copied, settled
from llmstack.core.interrupt import CUT_SHORT, told_if_cut_short
from llmstack.core.ladder import Climb
from llmstack.core.observe import PREVIOUS
from llmstack.core.replace import brought_back, replace_instance, roll_back
from llmstack.core.starting import announce, decided, fetch_needs, judge, rolled_back, start_and_climb
from llmstack.core.stopping import STOP_GRACE_S, end_for_good, stop_for_good
from llmstack.core.volumes import drop_if_possible, fill_of, tidy, with_volumes
from llmstack.domain.instance import PAUSED, InstanceSpec
from llmstack.domain.ladder import Rung
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action, ActionKind
from llmstack.errors import LlmstackError, NoMatchError, PreflightError
from llmstack.protocols import Engine


def wait_until_ready(action: Action, context: Context) -> Outcome:
    """What is kept, and loads or was never proved."""
    if action.model:
        return model_verbs.fetch(action, action.model, context)
    wanted, there = context.wanted_of(action), action.observed
    assert there is not None
    climb = _climb(action, context, wanted)
    climb.there = there
    ladder = climb.climb()
    outcome = judge(action, ladder, Status.OK, urls(context, wanted, there))
    return outcome if ladder.ok or settled(there, context.clock.now()) else _never_proved(outcome, action, context)


def _never_proved(outcome: Outcome, action: Action, context: Context) -> Outcome:
    """A replace that was killed before its new one was ready ends as it would have ended: the old one comes back."""
    wanted, there = context.wanted_of(action), action.observed
    assert there is not None
    engine = context.engine(wanted)
    previous = engine.inspect(there.container_name + PREVIOUS)
    if previous is None or previous.spec is None or action.spec is None:
        return outcome
    roll_back(engine, there.container_name, previous, was_running=True)
    if copied(action.spec, previous.spec):
        drop_if_possible(previous.spec, engine, context)
    climb = Climb(context=context, wanted=wanted, target=action.target)
    return rolled_back(outcome, brought_back(climb, previous.spec.name))


def create(action: Action, context: Context) -> Outcome:
    """Fetch what is needed, create, start, climb."""
    wanted = context.wanted_of(action)
    engine = context.engine(wanted)
    spec = with_volumes(action, decided(action, engine, context), engine, context)
    announce(action, context, spec)
    engine.check_port(spec)
    fetch_needs(action, context, engine, spec)
    climb = _climb(action, context, wanted)
    climb.there = engine.create(spec)
    climb.note(Rung.CREATED)
    try:
        with told_if_cut_short("it was removed again"), removed_if_broken(engine, spec.name):
            ladder = start_and_climb(engine, climb, context)
    except PreflightError as error:
        if spec.port != "auto" or spec.host_port is None or not {"port", "port_taken"} & error.data.keys():
            raise
        context.promised.add((spec.host, spec.host_port))  # by somebody who cannot be seen from here
        return create(dataclasses.replace(action, spec=spec.reopened("port")), context)
    return _settle(context, climb, judge(action, ladder, Status.CHANGED, urls(context, wanted, climb.there)))


def start(action: Action, context: Context) -> Outcome:
    """Start what is there, or start it again; a crash loop is stopped first."""
    wanted = context.wanted_of(action)
    engine = context.engine(wanted)
    assert action.observed is not None
    name = action.observed.container_name
    there = engine.inspect(name)
    if there is None:
        raise LlmstackError(f"{name} was removed by somebody else", "run it again", conflict=True)
    announce(action, context, action.spec)
    if there.running or (there.restarts or 0) > 0:
        drain(context, wanted, there)
        stop_for_good(context, engine, there)
    if action.spec and there.error != PAUSED:  # else it has its port, and all it needs
        try:
            engine.check_port(action.spec)
        except PreflightError:
            if action.spec.port != "auto":
                raise
            return _anew(action, context, action.spec.reopened("port"))
        fetch_needs(action, context, engine, action.spec, image=False)
    climb = _climb(action, context, wanted)
    climb.there = context.inspect(wanted)
    climb.skip_log()
    climb.note(Rung.CREATED, "already there")
    try:
        with stopped_if_broken(engine, name, ran=action.kind is ActionKind.RESTART):
            ladder = start_and_climb(engine, climb, context)
    except PreflightError as error:
        if context.task == "restart" or not (action.spec and error.data.get("network_gone")):
            raise
        return _anew(action, context, action.spec)
    return _settle(context, climb, judge(action, ladder, Status.CHANGED, urls(context, wanted, climb.there)))


def _anew(action: Action, context: Context, spec: InstanceSpec) -> Outcome:
    """What rests has lost its port, or its network: make it again."""
    context.engine(context.wanted_of(action)).remove(spec.name)
    return create(dataclasses.replace(action, kind=ActionKind.CREATE, spec=spec), context)


def _with_free_port(action: Action, engine: Engine) -> Action:
    """The same; a port once decided for it that somebody has taken meanwhile is open again."""
    spec = action.spec
    if spec and spec.port == "auto":
        try:
            engine.check_port(spec)
        except PreflightError:
            return dataclasses.replace(action, spec=spec.reopened("port"))
    return action


def replace(action: Action, context: Context) -> Outcome:
    """The new one takes over when it has climbed its ladder, or the old one comes back."""
    wanted = context.wanted_of(action)
    engine = context.engine(wanted)
    spec = decided(_with_free_port(action, engine), engine, context)
    spec = with_volumes(action, spec, engine, context)
    announce(action, context, spec)
    fetch_needs(action, context, engine, spec)
    climb = _climb(action, context, wanted)
    ladder = replace_instance(action, spec, climb, context, fill_of(action, spec, engine, context))
    outcome = judge(action, ladder, Status.CHANGED, urls(context, wanted, climb.there))
    return outcome if ladder.ok else rolled_back(outcome, brought_back(climb, spec.name))


def fetch(action: Action, context: Context) -> Outcome:
    """Bring a model into its running server, or load it there anew; or bring image and weights onto a host."""
    if action.model:
        return model_verbs.fetch(action, action.model, context)
    assert action.spec is not None
    fetch_needs(action, context, context.engine(context.wanted_of(action)), action.spec)
    return Outcome(target=action.target, status=Status.CHANGED, reason="fetched", action=action)


def stop(action: Action, context: Context) -> Outcome:
    """Stop, verified; it stays there."""
    there = action.observed
    assert there is not None
    if context.task != "down":
        drain(context, context.wanted_of(action), there)
    stop_for_good(context, context.engine_at(action, there.engine), there)
    return Outcome(target=action.target, status=Status.CHANGED, reason="stopped", action=action)


def remove(action: Action, context: Context) -> Outcome:
    """Stop, verified, and remove; or delete a model from its server."""
    if action.model:
        return model_verbs.remove(action, action.model, context)
    there = action.observed
    assert there is not None
    end_for_good(context, context.engine_at(action, there.engine), there)
    reason = f"{'stopped and ' * there.running}removed"
    return Outcome(target=action.target, status=Status.CHANGED, reason=reason, action=action)


def refuse(action: Action, _: Context) -> Outcome:
    """Raise what stands in the way."""
    raise action.error or LlmstackError(action.reason)


def _climb(action: Action, context: Context, wanted: Wanted) -> Climb:
    """The climb of a service; it proves an answer too, where the service serves one model of its own."""
    model = None if wanted.lazy else next(iter(wanted.enabled_models()), None)
    return Climb(context=context, wanted=wanted, target=action.target, model=model)


def _settle(context: Context, climb: Climb, outcome: Outcome) -> Outcome:
    """Stop what did not become ready, unless somebody else removed it meanwhile."""
    if outcome.ladder and not outcome.ladder.ok and climb.there:
        with suppress(NoMatchError):
            context.engine(climb.wanted).stop(climb.there.container_name, STOP_GRACE_S)
    return outcome


@contextmanager
def removed_if_broken(engine: Engine, name: str) -> Iterator[None]:
    """Whatever ends the start before its ladder can tell, nothing half done stays."""
    try:
        yield
    except BaseException:
        with suppress(NoMatchError):
            engine.stop(name, STOP_GRACE_S)
        engine.remove(name)
        raise


@contextmanager
def stopped_if_broken(engine: Engine, name: str, *, ran: bool) -> Iterator[None]:
    """As before the start: there, but stopped; what `ran` and was not waited for to the end goes on."""
    try:
        with told_if_cut_short("it runs, and was not waited for" if ran else "it was stopped again"):
            yield
    except BaseException as error:
        if ran and isinstance(error, CUT_SHORT):
            engine.start(name)
        else:
            engine.stop(name, STOP_GRACE_S)
        raise


VERBS: Mapping[ActionKind, Callable[[Action, Context], Outcome]] = {
    ActionKind.KEEP: wait_until_ready,
    ActionKind.CREATE: create,
    ActionKind.START: start,
    ActionKind.RESTART: start,
    ActionKind.REPLACE: replace,
    ActionKind.FETCH: fetch,
    ActionKind.LOAD: fetch,
    ActionKind.UNLOAD: model_verbs.unload,
    ActionKind.STOP: stop,
    ActionKind.REMOVE: remove,
    ActionKind.TIDY: tidy,
    ActionKind.BACKUP: backup,
    ActionKind.REFUSED: refuse,
    ActionKind.UNREACHABLE: refuse,
}
