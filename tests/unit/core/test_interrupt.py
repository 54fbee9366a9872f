"""Ctrl-C while a run changes things."""

from __future__ import annotations

import signal
import threading

import pytest

from llmstack.core.interrupt import AGAIN_S, untorn, within
from llmstack.domain.event import EventType
from llmstack.domain.plan import Action, ActionKind
from llmstack.domain.target import Target
from llmstack.errors import AbandonedRunError, DeadlineError, UnhealthyError
from tests.unit.core.world import World


def press() -> None:
    """Ctrl-C, as the terminal sends it to the main thread."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def warned(world: World, times: int) -> None:
    """Wait until Ctrl-C was heard that often."""
    while len(world.ears.of(EventType.WARNING)) < times:
        threading.Event().wait(0.001)


def test_what_comes_out_comes_out_and_what_is_raised_is_raised(world: World) -> None:
    assert untorn(lambda: 42, world.context()) == 42

    def fails() -> int:
        raise UnhealthyError("no")

    with pytest.raises(UnhealthyError, match="no"):
        untorn(fails, world.context())


def test_the_first_ctrl_c_asks_the_work_to_end_and_waits_for_it(world: World) -> None:
    context = world.context()

    def work() -> str:
        press()
        assert context.interrupted.wait(20)
        return "rolled back"

    assert untorn(work, context) == "rolled back"
    (warning,) = world.ears.of(EventType.WARNING)
    assert warning.message.startswith("interrupted; what was begun is brought to an end")


def test_a_second_one_soon_after_leaves_it_and_names_what_is_under_way(world: World) -> None:
    context, never = world.context(), threading.Event()

    def work() -> None:
        for name, kind in (("web", ActionKind.REPLACE), ("db", ActionKind.CREATE)):
            target = Target(name, "localhost")
            context.under_way[target] = Action(kind=kind, target=target, reason="")
        press()
        warned(world, 1)
        world.clock.advance(AGAIN_S - 0.1)
        press()
        never.wait(20)

    with pytest.raises(AbandonedRunError) as caught:
        untorn(work, context)
    never.set()
    assert caught.value.exit_code == 130
    assert caught.value.message == "stopped at once; left as they are: db@localhost (create), web@localhost (replace)"
    assert caught.value.data["left"] == ["db@localhost (create)", "web@localhost (replace)"]


def test_one_that_comes_later_is_a_first_one_again(world: World) -> None:
    def work() -> str:
        for times in (1, 2, 3):
            press()
            warned(world, times)
            world.clock.advance(AGAIN_S)
        return "at the end"

    assert untorn(work, world.context()) == "at the end"


def test_when_nothing_was_under_way_that_is_said(world: World) -> None:
    never = threading.Event()

    def work() -> None:
        press()
        warned(world, 1)
        press()
        never.wait(20)

    with pytest.raises(AbandonedRunError, match="stopped at once; nothing was under way"):
        untorn(work, world.context())
    never.set()


def test_a_look_is_not_waited_for_once_its_time_is_over(world: World) -> None:
    context, over = world.context(deadline=world.clock.monotonic() + 1), threading.Event()

    def look() -> None:
        world.clock.sleep(2)
        over.wait()

    with pytest.raises(DeadlineError):
        within(look, context)
    over.set()


def test_a_look_in_time_is_what_comes_out(world: World) -> None:
    assert within(lambda: 42, world.context(deadline=world.clock.monotonic() + 1)) == 42
