"""Hold every place that a plan changes, so that two controllers never work on one stack at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from llmstack.core.context import Context
from llmstack.core.observe import Place
from llmstack.domain.host import Host
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.errors import LlmstackError, LockedError

LEASE_S = 3600.0
RETRY_S = 0.2


@contextmanager
def held(
    places: Mapping[Place, Host], context: Context, stack: str, owner: str, wait_s: float
) -> Iterator[dict[Place, LlmstackError]]:
    """Hold the lock of each place; yields the places that could not be had, and why."""
    refused: dict[Place, LlmstackError] = {}
    with ExitStack() as locks:
        for place in sorted(places):
            try:
                _take(locks, context, place, places[place], (stack, owner, wait_s))
            except LlmstackError as error:
                refused[place] = error
        yield refused


def _take(locks: ExitStack, context: Context, place: Place, host: Host, how: tuple[str, str, float]) -> None:
    stack, owner, wait_s = how
    deadline = context.clock.monotonic() + wait_s
    while True:
        try:
            locks.enter_context(context.engine_of(host, place[1]).lock(stack, owner, LEASE_S))
        except LockedError:
            context.check()
            if context.clock.monotonic() >= deadline:
                raise
            context.clock.sleep(RETRY_S)
        else:
            return


def place_of(action: Action) -> Place | None:
    """PURE: where an action changes something that a lock guards."""
    if action.observed:
        return (action.target.host, action.observed.engine)
    return (action.target.host, action.spec.engine) if action.spec else None


def refuse_held(plan: Plan, refused: dict[Place, LlmstackError]) -> Plan:
    """PURE: actions on a place that somebody else holds are refused; the others go on."""
    return Plan(tuple(_refused(action, refused.get(place_of(action) or ("", ""))) for action in plan.actions))


def _refused(action: Action, error: LlmstackError | None) -> Action:
    if error is None or not action.kind.changes:
        return action
    return replace(action, kind=ActionKind.REFUSED, reason=error.message, error=error)
