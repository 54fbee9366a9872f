"""Places that a plan changes are held."""

from __future__ import annotations

import pytest

from llmstack.core.context import Context
from llmstack.core.locks import LEASE_S, held, place_of, refuse_held, renew_all
from llmstack.core.observe import places_of
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.target import Target
from llmstack.errors import (
    InterruptedRunError,
    LlmstackError,
    LockedError,
    UnreachableError,
)
from tests.unit.core.world import World


def take(world: World, context: Context, wait_s: float = 0.0) -> dict[tuple[str, str], LlmstackError]:
    places = places_of(world.all.values())
    with held(places, context, "lab", wait_s) as refused:
        return dict(refused)


def test_a_place_that_somebody_holds_is_refused_and_the_others_are_held(world: World) -> None:
    world.want("a", host="h1")
    world.want("a", host="h2")
    with world.engine("h1").lock("lab", "somebody", 60):
        refused = take(world, world.context())
    assert list(refused) == [("h1", "docker")]
    assert isinstance(refused["h1", "docker"], LockedError)
    with world.engine("h2").lock("lab", "me", 60):
        pass


def test_a_lock_is_waited_for_as_long_as_told(world: World) -> None:
    world.want()
    with world.engine().lock("lab", "somebody", 5):
        assert take(world, world.context(), wait_s=10) == {}
        assert 5 <= world.clock.monotonic() < 6


@pytest.mark.parametrize(
    ("wait_s", "hint"), [(0, "wait for it: --lock-wait 10m; it ends with pid 7"), (1, "it ends with pid 7")]
)
def test_who_waited_in_vain_is_not_told_to_wait(world: World, wait_s: float, hint: str) -> None:
    world.want()
    world.engine().refuse("lock", LockedError("locked", "it ends with pid 7"), times=None)
    assert [error.hint for error in take(world, world.context(), wait_s).values()] == [hint]


def test_waiting_for_a_lock_can_be_interrupted(world: World) -> None:
    world.want()
    context = world.context()
    context.interrupted.set()
    with world.engine().lock("lab", "somebody", 60):
        (error,) = take(world, context, wait_s=10).values()
    assert isinstance(error, InterruptedRunError)


def test_a_lease_that_is_renewed_outlives_its_first_end(world: World) -> None:
    engine = world.engine()
    with engine.lock("lab", "me", LEASE_S) as renew:
        for _ in range(5):
            world.clock.sleep(LEASE_S - 1)
            renew_all([renew], world.context())
        with pytest.raises(LockedError, match="me"):
            engine.lock("lab", "other", LEASE_S).__enter__()
    with engine.lock("lab", "other", LEASE_S):
        pass


def test_a_run_whose_lock_was_taken_over_goes_no_further(world: World) -> None:
    engine, context = world.engine(), world.context()
    with engine.lock("lab", "me", LEASE_S) as renew:
        world.clock.sleep(LEASE_S + 1)
        with engine.lock("lab", "other", LEASE_S):
            renew_all([renew], context)
    assert context.interrupted.is_set()
    assert "taken over" in world.ears.heard[-1].message


def test_an_engine_that_cannot_be_asked_for_a_moment_ends_no_run(world: World) -> None:
    def away() -> None:
        raise UnreachableError("no route to host")

    context = world.context()
    renew_all([away], context)
    assert not context.interrupted.is_set()
    assert world.ears.heard[-1].message == "the lock was not renewed: no route to host"


def test_actions_of_a_refused_place_are_refused_and_what_changes_nothing_goes_on(world: World) -> None:
    demo = world.want()
    there = world.run(demo)
    target = demo.target
    error = LockedError("locked by somebody")
    actions = (
        Action(kind=ActionKind.REMOVE, target=target, reason="r", observed=there),
        Action(kind=ActionKind.CREATE, target=target, reason="c", spec=demo.spec),
        Action(kind=ActionKind.KEEP, target=target, reason="k", observed=there),
        Action(kind=ActionKind.FETCH, target=Target("llama3", "localhost"), reason="f"),
    )
    found = refuse_held(Plan(actions), {("localhost", "docker"): error}).actions
    assert [action.kind.value for action in found] == ["refused", "refused", "keep", "fetch"]
    assert found[0].error is error
    assert place_of(actions[3]) is None
