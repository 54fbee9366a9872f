"""Ctrl-C while a run changes things: the first lets it come to a good end, a second one soon after does not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TypeVar

from llmstack.core.context import Context
from llmstack.domain.apart import apart
from llmstack.errors import AbandonedRunError, DeadlineError, InterruptedRunError

T = TypeVar("T")

CUT_SHORT = (InterruptedRunError, DeadlineError)
"""What ends a run before its time, with nobody at fault."""
AGAIN_S = 2.0
POLL_S = 0.1
"""A signal that comes just before a wait does not end it."""
HEARD = f"interrupted; what was begun is brought to an end (again within {AGAIN_S:.0f} s: stop at once)"


@contextmanager
def told_if_cut_short(left: str) -> Iterator[None]:
    """What ends a run before its time says in which state that leaves what it was at, by the innermost such block."""
    try:
        yield
    except CUT_SHORT as error:
        if "state" not in error.data:
            error.data["state"] = left
            error.message += f"; {left}"
        raise


def untorn(work: Callable[[], T], context: Context) -> T:
    """`work`, in a thread of its own: Ctrl-C tears apart whatever the main thread does, so that only waits.

    The first Ctrl-C sets `context.interrupted`, and the work is waited for. Raises AbandonedRunError, which names what
    is under way, when another one follows within AGAIN_S; the work is not waited for then.
    """
    inbox = SimpleQueue[Callable[[], T]]()
    done = apart(lambda: inbox.get()(), "run")  # noqa: PLW0108 - the work is not there yet
    pressed, heard, given = [-math.inf], 1, False
    while not done.done():
        try:
            if heard < len(pressed):
                heard = len(pressed)
                context.interrupted.set()
                context.warn(HEARD)
            if not given:
                inbox.put(work)  # twice, if Ctrl-C hits right here; only one is taken
                given = True
            futures.wait((done,), POLL_S)
        except KeyboardInterrupt:
            pressed.append(context.clock.monotonic())
            if pressed[-1] - pressed[-2] < AGAIN_S:
                raise _abandoned(context) from None
    return done.result()


def within(work: Callable[[], T], context: Context) -> T:
    """`work` that only looks, in a thread of its own; it is not waited for once the run should go no further.

    Raises DeadlineError and InterruptedRunError.
    """
    done = apart(work, "look")
    while not futures.wait((done,), POLL_S).done:
        context.check()
    return done.result()


def _abandoned(context: Context) -> AbandonedRunError:
    left = [f"{target} ({action.kind.value})" for target, action in sorted(context.under_way.items())]
    told = f"left as they are: {', '.join(left)}" if left else "nothing was under way"
    return AbandonedRunError(f"stopped at once; {told}", "run it again: it finds and repairs them", left=left)
