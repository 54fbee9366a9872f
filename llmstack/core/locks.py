"""Hold every place that a plan changes, so that two controllers never work on one stack at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from llmstack.core.context import Context
from llmstack.core.observe import Place, asked, places_of
from llmstack.domain.host import Host
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.who import who
from llmstack.errors import LlmstackError, LockedError
from llmstack.protocols import Renew

LEASE_S = 90.0
RENEW_EVERY_S = 20.0
RETRY_S = 0.2


@contextmanager
def held(
    places: Mapping[Place, Host], context: Context, stack: str, wait_s: float
) -> Iterator[dict[Place, LlmstackError]]:
    """Hold the lock of each place, however long it takes; yields the places that could not be had, and why.

    A lock that is lost on the way (this machine slept, say) interrupts the run: somebody else is at work.
    """
    refused: dict[Place, LlmstackError] = {}
    renewals: list[Renew] = []
    owner = f"{who()} {context.task} (pid {os.getpid()})"
    with ExitStack() as locks:
        for place in sorted(places):
            try:
                renewals.append(_take(locks, context, place, places[place], (stack, owner, wait_s)))
            except LlmstackError as error:
                refused[place] = error
        if renewals:
            locks.enter_context(_kept(renewals, context))
        yield refused


def to_hold(plan: Plan, context: Context) -> dict[Place, Host]:
    """The places that a plan changes, and those where a run that died has left something: who locks them tidies up."""
    stack, places = context.stack or "", places_of(context.wanted.values())
    told, _ = asked(lambda place: context.engine_of(places[place], place[1]).littered(stack), places, forks=1)
    littered = {place: places[place] for place, left in told.items() if left}
    return littered | {place: context.hosts[place[0]] for place in map(place_of, plan.changes) if place}


@contextmanager
def _kept(renewals: Sequence[Renew], context: Context) -> Iterator[None]:
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(renewals, context, over), name="leases", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _keep(renewals: Sequence[Renew], context: Context, over: threading.Event) -> None:
    while not over.wait(RENEW_EVERY_S):
        renew_all(renewals, context)


def renew_all(renewals: Sequence[Renew], context: Context) -> None:
    """Renew each lease; one that an engine cannot renew right now is tried again before it ends."""
    for renew in renewals:
        try:
            renew()
        except LockedError as error:
            context.warn(error.message)
            context.interrupted.set()
        except LlmstackError as error:
            context.warn(f"the lock was not renewed: {error.message}")


def _take(locks: ExitStack, context: Context, place: Place, host: Host, how: tuple[str, str, float]) -> Renew:
    stack, owner, wait_s = how
    deadline = context.clock.monotonic() + wait_s
    while True:
        try:
            return locks.enter_context(context.engine_of(host, place[1]).lock(stack, owner, LEASE_S))
        except LockedError as error:
            context.check()
            if context.clock.monotonic() >= deadline:
                error.hint = f"{'' if wait_s else 'wait for it: --lock-wait 10m; '}{error.hint or ''}".rstrip("; ")
                raise
            context.clock.sleep(RETRY_S)


def place_of(action: Action) -> Place | None:
    """PURE: where an action changes something that a lock guards."""
    there = action.observed or action.spec
    return (action.target.host, there.engine) if there else None


def refuse_held(plan: Plan, refused: dict[Place, LlmstackError]) -> Plan:
    """PURE: actions on a place that somebody else holds are refused; the others go on."""
    return Plan(tuple(_refused(action, refused.get(place_of(action) or ("", ""))) for action in plan.actions))


def _refused(action: Action, error: LlmstackError | None) -> Action:
    if error is None or not action.kind.changes:
        return action
    return replace(action, kind=ActionKind.REFUSED, reason=error.message, error=error)
