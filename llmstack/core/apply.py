"""Run a plan: the only place that changes anything. One outcome per action; a failure stops what depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

from llmstack.core.context import Context, urls
from llmstack.core.interrupt import told_if_cut_short
from llmstack.core.observe import in_parallel
from llmstack.core.remember import is_unproved
from llmstack.core.steps import Step, steps_of
from llmstack.domain.event import EventType
from llmstack.domain.outcome import Outcome, Status, failed
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.server import Life
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError

BAD = (Status.FAILED, Status.UNHEALTHY, Status.UNREACHABLE, Status.SKIPPED, Status.INTERRUPTED)

UNTOLD = (ActionKind.STOP, ActionKind.REMOVE, ActionKind.UNLOAD)
"""Their verbs announce nothing, and who watches must know by then whose work it is."""


def apply(plan: Plan, context: Context, *, down: bool = False) -> tuple[Outcome, ...]:
    """Run every action as soon as what it waits for is done, `context.forks` at once; outcomes in the plan's order.

    Once the run is to stop nothing new is started, and what was under way is rolled back.
    """
    steps = steps_of(plan, down=down)
    futures = tuple(Future[Outcome]() for _ in steps)

    def work(place: int) -> None:
        try:
            futures[place].set_result(_step(steps[place], futures, context))
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            futures[place].set_exception(error)

    in_parallel(work, list(range(len(steps))), context.forks)
    return tuple(future.result() for future in futures)


def _step(step: Step, futures: Sequence[Future[Outcome]], context: Context) -> Outcome:
    """Waits for earlier steps only, and those were begun before it, so the oldest one can always run."""
    reason = _stands_back(step, futures)
    reason = "interrupted" if context.stopped else reason
    if reason and step.action.kind.changes:
        outcome = Outcome(target=step.action.target, status=Status.SKIPPED, reason=reason, action=step.action)
    else:
        outcome = run(step.action, context)
    context.emit(EventType.RESULT, step.action.target, outcome.reason, outcome=outcome)
    return outcome


def _stands_back(step: Step, futures: Sequence[Future[Outcome]]) -> str:
    """Why a step must not be taken; empty when it may."""
    before, batches = (
        [outcome for n in indices if (outcome := futures[n].result()).status in BAD]
        for indices in (step.after, step.gate)
    )
    if before:
        return f"{before[0].target} {before[0].status.value}"
    if len(batches) > step.max_fail:
        return f"{batches[0].target} {batches[0].status.value}, and update.max_fail is {step.max_fail}"
    return ""


def run(action: Action, context: Context) -> Outcome:
    """One action to its outcome; an error of ours is an outcome, not an exception."""
    began = context.clock.monotonic()
    if action.kind.changes:
        context.under_way[action.target] = action
    if action.kind in UNTOLD:
        context.emit(EventType.START, action.target)
    try:
        with told_if_cut_short("it was left as it is"):
            context.check()
            outcome = _keep(action, context) if action.kind is ActionKind.KEEP else _change(action, context)
    except LlmstackError as error:
        outcome = failed(action.target, error, action)
    context.under_way.pop(action.target, None)
    return replace(outcome, ms=(context.clock.monotonic() - began) * 1000)


def _keep(action: Action, context: Context) -> Outcome:
    """Nothing to do; an `up` still looks whether the server is ready, waits for one that loads, and proves what was
    begun before and never waited for."""
    there, kept = action.observed, Outcome(target=action.target, status=Status.OK, reason=action.reason, action=action)
    runs = action.model or (there is not None and there.running)
    if context.task not in ("up", "update") or not context.wait or not runs:
        return kept
    wanted = context.wanted_of(action)
    if action.model:
        return _change(action, context) if is_unproved(action, wanted, context) else kept
    client = context.client(wanted, there)
    if client is None:
        return kept
    proved = not is_unproved(action, wanted, context) and client.liveness().life is Life.READY
    return replace(kept, urls=urls(context, wanted, there)) if proved else _change(action, context)


def _change(action: Action, context: Context) -> Outcome:
    """By the verbs, whose import takes time that a run without changes does not have."""
    from llmstack.core.verbs import VERBS

    return VERBS[action.kind](action, context)


def check_only(plan: Plan) -> tuple[Outcome, ...]:
    """PURE: what `--check` says of a plan; nothing is changed."""
    return tuple(_would(action) for action in plan.actions)


def _would(action: Action) -> Outcome:
    if action.error:
        return failed(action.target, action.error, action)
    status = Status.WOULD_CHANGE if action.kind.changes else Status.OK
    return Outcome(target=action.target, status=status, reason=action.reason, action=action)


def clashed(outcomes: Sequence[Outcome]) -> frozenset[Target]:
    """PURE: targets whose name somebody else took between look and act, and what was skipped because of them."""
    taken = {outcome.target for outcome in outcomes if outcome.error and outcome.error.data.get("conflict")}
    skipped = {outcome.target for outcome in outcomes if taken and outcome.status is Status.SKIPPED}
    return frozenset(taken | skipped)


def by_target(outcomes: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Each target once: the last outcome wins, unless an earlier one failed."""
    chosen: dict[Target, Outcome] = {}
    for outcome in outcomes:
        before = chosen.get(outcome.target)
        if before is None or before.status not in BAD:
            chosen[outcome.target] = outcome
    return tuple(chosen.values())
