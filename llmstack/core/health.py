"""Prove that what runs really answers; changes nothing, loads nothing unless asked to, keeps every keep-alive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from llmstack.core.actions import describe
from llmstack.core.context import Context, quiet, urls
from llmstack.core.desired import Wanted
from llmstack.core.diff import by_hand
from llmstack.core.interrupt import within
from llmstack.core.ladder import Climb
from llmstack.core.links import climb_links
from llmstack.core.look import survived
from llmstack.core.observe import Observed, in_parallel
from llmstack.core.select import Picked
from llmstack.core.starting import judge
from llmstack.domain.event import EventType
from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import Ladder, Rung, Why
from llmstack.domain.outcome import Outcome, Status, failed
from llmstack.domain.plan import Action, ActionKind
from llmstack.domain.position import locate
from llmstack.domain.service import Inventory, ModelSpec
from llmstack.domain.target import Target
from llmstack.errors import DeadlineError, LlmstackError

PATIENCE_S = 5.0
"""A server that is up may be slow to answer once; longer than this, it is not healthy."""

AGAIN_S = 1.0

Check = tuple[Wanted, Target, ModelSpec | None]


def health(picked: Sequence[Picked], observed: Observed, context: Context, *, deep: bool) -> tuple[Outcome, ...]:
    """One outcome per picked model, and one per service whose models are checked by themselves."""
    checks = [check for item in picked for check in _checks(item)]
    return tuple(in_parallel(lambda check: _outcome(check, observed, context, deep=deep), checks, context.forks))


def switched_off(picked: Sequence[Picked], inventory: Inventory) -> Iterator[Outcome]:
    """PURE: one outcome per picked service or model that is off for good: where, and how to have it again."""
    for item in picked:
        wanted, placement = item.wanted, item.wanted.placement
        off = [(wanted.target_of(model), model, ("models", model.name)) for model in item.models if not model.enabled]
        for target, model, path in [(wanted.target, None, placement.path)] if wanted.off else off:
            at = locate(inventory.on(placement).positions, (*path, "enabled"))
            again = f"llmstack up --{'model' if path[0] == 'models' else 'service'} {target.name}"
            action = Action(kind=ActionKind.KEEP, target=target, reason="", placement=placement, model=model)
            reason = f"enabled: false ({at}); remove that, then: {again}"
            yield Outcome(target=target, status=Status.SKIPPED, reason=reason, action=action)


def await_health(picked: Sequence[Picked], look: Callable[[], Observed], context: Context) -> tuple[Outcome, ...]:
    """The outcomes, once all of them are good. Raises DeadlineError naming what is not, InterruptedRunError."""
    bad: Sequence[tuple[Target, str]] = [(item.wanted.target, "no answer yet") for item in picked]
    try:
        while True:
            outcomes = within(lambda: health(picked, look(), quiet(context), deep=False), context)
            if not any(outcome.error for outcome in outcomes):
                return outcomes
            bad = [(outcome.target, outcome.reason) for outcome in outcomes if outcome.error]
            context.check()
            context.clock.sleep(AGAIN_S)
    except DeadlineError as error:
        told = "; ".join(f"{target}: {reason}" for target, reason in bad)
        raise DeadlineError(f"not ready in time: {told}", f"llmstack why --service {bad[0][0].name}") from error


def _checks(item: Picked) -> Iterator[Check]:
    wanted = item.wanted
    if wanted.off:
        return
    if not wanted.lazy:
        yield wanted, wanted.target, next(iter(wanted.enabled_models()), None)
        return
    if not item.by_model:
        yield wanted, wanted.target, None
    for model in item.models:
        if model.enabled:
            yield wanted, wanted.target_of(model), model


def _outcome(check: Check, observed: Observed, context: Context, *, deep: bool) -> Outcome:
    wanted, target, model = check
    action = Action(kind=ActionKind.KEEP, target=target, reason="", placement=wanted.placement, model=model)
    began = context.clock.monotonic()
    try:
        there = _there(wanted, observed, context)
        if told := by_hand(there):
            message = f"{wanted.target} is not as it was made: {told}; `down` and `up` make it anew"
            context.once(partial(context.warn, message, wanted.target), "by hand", str(wanted.target))
        climb = Climb(context=context, wanted=wanted, target=target, model=model, deep=deep, wait_s=PATIENCE_S)
        ladder = climb_links(climb, prove(climb, there))
        outcome = judge(action, ladder, Status.OK, urls(context, wanted, there))
    except LlmstackError as error:
        outcome = failed(target, error, action)
    outcome = replace(outcome, ms=(context.clock.monotonic() - began) * 1000)
    context.emit(EventType.RESULT, target, outcome.reason, outcome=outcome)
    return outcome


def _there(wanted: Wanted, observed: Observed, context: Context) -> Instance | None:
    """The instance with all its facts. Raises what makes asking impossible."""
    error = observed.errors.get((wanted.target.host, wanted.engine)) or wanted.error
    if error:
        raise error
    there = observed.find(wanted)
    return context.engine(wanted).inspect(there.container_name) if there else None


def prove(climb: Climb, there: Instance | None) -> Ladder:
    """From the facts of the engine upwards; never waits for what is not running."""
    climb.there = there
    if climb.wanted.external:
        return climb.climb()
    if there is None:
        return _fallen(climb, Rung.CREATED, Why(summary="not there", do=f"llmstack up --service {_name(climb)}"))
    climb.note(Rung.CREATED)
    if not there.running or there.error:
        do = f"llmstack up --service {_name(climb)}" if there.error or there.state is State.STOPPED else None
        return _fallen(climb, Rung.RUNNING, climb.why(there, describe(there), do), describe(there))
    climb.note(Rung.RUNNING, survived(there))
    return climb.climb()


def _fallen(climb: Climb, rung: Rung, why: Why, seen: str | None = None) -> Ladder:
    climb.note(rung, seen or why.summary, ok=False)
    return Ladder(target=climb.target, rungs=tuple(climb.rungs), why=why)


def _name(climb: Climb) -> str:
    return climb.wanted.placement.service.name
