"""The data of a stateful service: copied to the new one, as they were for the old one that comes back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llmstack.core.apply import apply
from llmstack.core.desired import Wanted
from llmstack.core.facts import with_facts
from llmstack.core.generations import SETTLED_S
from llmstack.core.observe import sort_out
from llmstack.core.plan import plan_down, plan_up
from llmstack.core.select import Picked
from llmstack.domain.event import EventType
from llmstack.domain.instance import Instance
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Plan
from llmstack.errors import FetchError, InterruptedRunError, LlmstackError, PreflightError
from llmstack.protocols import Ability
from llmstack.testing import FakeEngine
from tests.unit.core.test_replace import Killed
from tests.unit.core.world import LOADING, READY, World

NAME = "llmstack-lab-page"
FILES = {"db/users": b"anna", "db/chats": b"hello"}


def page(world: World, word: str, **more: object) -> Wanted:
    given = {"stateful": True, "mounts": ("data:/data", "/etc/hosts:/h:ro"), "port": 3000, **more}
    return world.want("page", "page", args=(word,), **given)  # type: ignore[arg-type]


def plan(world: World, wanted: Wanted, planner: Callable[..., Plan] = plan_up) -> Plan:
    picked, context = [Picked(wanted, ())], world.context(planner.__name__.removeprefix("plan_"))
    return planner(picked, with_facts(picked, sort_out(world.engine().observe("lab"), {}), context))


def up(world: World, wanted: Wanted, **more: object) -> tuple[Outcome, ...]:
    return apply(plan(world, wanted), world.context(**more))


def down(world: World, wanted: Wanted) -> None:
    apply(plan(world, wanted, plan_down), world.context("down"), down=True)


@pytest.fixture
def old(world: World) -> Wanted:
    """Runs with FILES in its volume."""
    wanted = page(world, "--old")
    up(world, wanted)
    world.engine().data["data"].update(FILES)
    world.engine().calls.clear()
    return wanted


def only(world: World) -> Instance:
    (there,) = world.engine().instances.values()
    return there


def state(world: World) -> tuple[str, bool, dict[str, dict[str, bytes]]]:
    """The one instance's argument, whether it runs, and every volume."""
    there = only(world)
    assert there.spec is not None
    assert there.container_name == NAME
    return there.spec.command[0], there.running, world.engine().data


def spoils(world: World, volume: str) -> Callable[[str], None]:
    def spoil(_: str) -> None:
        if volume in world.engine().data:
            world.engine().data[volume] = {"db/users": b"broken"}

    return spoil


def test_the_new_one_has_the_data_and_the_old_volume_is_gone(world: World, old: Wanted) -> None:
    (outcome,) = up(world, page(world, "--new"))
    assert outcome.status is Status.CHANGED
    assert state(world) == ("--new", True, {"data.1": FILES})
    assert [event.data["progress"].phase for event in world.ears.of(EventType.PROGRESS)] == ["copied"]  # type: ignore[attr-defined]
    assert [verb for verb, _ in world.engine().writes] == [
        *("rename", "create", "stop", "copy_volumes", "start", "remove", "discard")
    ]
    assert up(world, page(world, "--third"))[0].status is Status.CHANGED
    assert state(world) == ("--third", True, {"data.2": FILES})


def test_the_old_one_comes_back_to_its_data_as_they_were(world: World, old: Wanted) -> None:
    server = world.server(3000)
    server.lives, server.before = [LOADING] * 3000 + [READY], spoils(world, "data.1")
    (outcome,) = up(world, page(world, "--new"))
    assert outcome.status is Status.UNHEALTHY
    assert state(world) == ("--old", True, {"data": FILES})


@pytest.mark.parametrize("verb", ["create", "stop", "copy_volumes", "start"])
def test_whatever_the_engine_refuses_the_data_stay(world: World, old: Wanted, verb: str) -> None:
    world.engine().refuse(verb, FetchError("the disk of the engine is full"))
    (outcome,) = up(world, page(world, "--new"))
    assert outcome.error is not None
    assert (outcome.exit_code, outcome.error.data["rolled_back"]) == (10, True)
    assert state(world) == ("--old", True, {"data": FILES})


def test_ctrl_c_while_it_copies_brings_the_old_one_back(world: World, old: Wanted) -> None:
    context = world.context()
    world.ears.emit = lambda event: context.interrupted.set() if event.type is EventType.PROGRESS else None  # type: ignore[method-assign]
    (outcome,) = apply(plan(world, page(world, "--new")), context)
    assert isinstance(outcome.error, InterruptedRunError)
    assert state(world) == ("--old", True, {"data": FILES})


def test_without_stateful_the_volume_is_mounted_again(world: World) -> None:
    up(world, page(world, "--old", stateful=False))
    up(world, page(world, "--new", stateful=False))
    assert (list(world.engine().data), world.engine().calls.count(("copy_volumes", NAME))) == (["data"], 0)


def test_what_was_copied_once_is_found_again_by_a_service_that_is_not_stateful_any_more(
    world: World, old: Wanted
) -> None:
    up(world, page(world, "--new"))
    up(world, page(world, "--third", stateful=False))
    assert state(world) == ("--third", True, {"data.1": FILES})
    down(world, old)
    assert world.engine().data == {"data.1": FILES}
    up(world, page(world, "--fourth", stateful=False))
    assert state(world) == ("--fourth", True, {"data.1": FILES})


def test_an_old_volume_that_somebody_else_uses_stays_and_is_told(world: World, old: Wanted) -> None:
    world.engine().refuse("discard", LlmstackError("volume data is in use"))
    (outcome,) = up(world, page(world, "--new"))
    assert outcome.status is Status.CHANGED
    assert [event.message for event in world.ears.of(EventType.WARNING)] == [
        "an old volume of page@localhost stays: volume data is in use"
    ]
    kept, tidied = up(world, page(world, "--new"))
    assert (kept.status, tidied.reason) == (Status.OK, "left by an interrupted replace: data")
    assert state(world) == ("--new", True, {"data.1": FILES})


def test_an_engine_without_volumes_refuses_before_anything_changes(world: World) -> None:
    world.engines["localhost", "docker"] = FakeEngine(abilities=frozenset(Ability) - {Ability.VOLUMES})
    (outcome,) = up(world, page(world, "--old"))
    assert outcome.exit_code == 9
    assert "no volumes to copy" in outcome.reason
    assert world.engine().writes == []


def test_a_stateful_service_without_a_volume_of_its_own_is_refused(world: World) -> None:
    for mounts in ((), ("/srv/data:/data",), ("data:/data:ro",)):
        (outcome,) = up(world, page(world, "--old", mounts=mounts))
        assert (outcome.exit_code, "no volume of its own" in outcome.reason) == (9, True)


def test_a_volume_that_another_service_mounts_is_not_copied_away_from_it(world: World) -> None:
    world.want("reader", "page", port=3001, mounts=("data:/data:ro",))
    (outcome,) = up(world, page(world, "--old"))
    assert (outcome.exit_code, "reader@localhost mounts volume data too" in outcome.reason) == (9, True)


WRITES = ("rename", "create", "stop", "copy_volumes", "start", "remove", "discard")


def killed(world: World, wanted: Wanted, verb: str, *, after: bool) -> None:
    """A run that ends before or after its call of `verb`, and does nothing any more."""
    engine, dead = world.engine(), []

    def killing(name: str) -> None:
        real = getattr(engine, name)

        def call(*given: object) -> object:
            if dead or (name == verb and not after):
                dead.append(name)
                raise Killed
            done = real(*given)
            if name == verb:
                dead.append(name)
                raise Killed
            return done

        setattr(engine, name, call)

    for name in WRITES:
        killing(name)
    with pytest.raises(Killed):
        up(world, wanted)
    for name in WRITES:
        delattr(engine, name)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("verb", WRITES)
def test_after_a_kill_at_any_point_the_next_up_leaves_one_instance_one_volume_and_all_data(
    world: World, old: Wanted, verb: str, after: bool
) -> None:
    wanted = page(world, "--new")
    killed(world, wanted, verb, after=after)
    up(world, wanted)
    word, running, data = state(world)
    assert (word, running, list(data.values())) == ("--new", True, [FILES])
    assert [outcome.status for outcome in up(world, wanted)] == [Status.OK]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("verb", WRITES[:-2])
def test_a_broken_one_that_was_killed_in_the_middle_is_rolled_back_by_the_next_up(
    world: World, old: Wanted, verb: str, after: bool
) -> None:
    server = world.server(3000)
    spoil = spoils(world, "data.1")
    server.lives, server.before = [LOADING] * 9000, spoil
    wanted = page(world, "--new")
    killed(world, wanted, verb, after=after)
    spoil("")
    up(world, wanted)
    assert state(world) == ("--old", True, {"data": FILES})


def test_another_wish_does_not_build_on_what_a_killed_and_unproved_one_made_of_the_data(
    world: World, old: Wanted
) -> None:
    killed(world, page(world, "--broken"), "start", after=True)
    world.engine().data["data.1"] = {}
    up(world, page(world, "--fixed"))
    assert state(world) == ("--fixed", True, {"data.1": FILES})


@pytest.mark.parametrize("verb", ["copy_volumes", "start"])
def test_however_often_a_replace_is_killed_there_is_one_copy_beside_the_data(
    world: World, old: Wanted, verb: str
) -> None:
    for word in ("--new", "--other", "--new"):
        killed(world, page(world, word), verb, after=True)
        assert world.engine().data == {"data": FILES, "data.1": FILES}
    up(world, page(world, "--new"))
    assert state(world) == ("--new", True, {"data.1": FILES})


def test_a_volume_that_is_wanted_by_its_own_name_is_no_copy_that_was_left(world: World, old: Wanted) -> None:
    world.engine().data["data.1"], world.engine().owners["data.1"] = {"kept": b"1"}, ("lab", "page")
    up(world, page(world, "--new", mounts=("data.1:/data",)))
    assert world.engine().data["data.1"] == {"kept": b"1"}


def test_what_rests_and_has_lost_its_port_is_made_again_on_its_own_data(world: World) -> None:
    wanted = page(world, "--old", port="auto")
    up(world, wanted)
    world.engine().data["data"].update(FILES)
    there = only(world)
    world.engine().stop(NAME, 1)
    world.engine().refuse("check_port", PreflightError("port taken", port=there.port))
    (outcome,) = up(world, wanted)
    assert outcome.status is Status.CHANGED, outcome
    assert state(world) == ("--old", True, {"data": FILES})


@pytest.mark.parametrize("runs", [True, False])
def test_data_that_were_used_for_long_count_though_nobody_saw_them_proved(
    world: World, old: Wanted, runs: bool
) -> None:
    killed(world, page(world, "--new"), "start", after=True)
    world.engine().data["data.1"]["db/chats"] = b"of days"
    world.clock.advance(SETTLED_S + 1)
    if not runs:
        world.engine().stop(NAME, 1)
    up(world, page(world, "--third"))
    assert state(world) == ("--third", True, {"data.2": {**FILES, "db/chats": b"of days"}})


def test_down_after_a_kill_deletes_no_data_and_the_next_up_asks_which_to_take(world: World, old: Wanted) -> None:
    wanted = page(world, "--new")
    killed(world, wanted, "copy_volumes", after=False)
    down(world, wanted)
    assert world.engine().instances == {}
    assert world.engine().data["data"] == FILES
    (outcome,) = up(world, wanted)
    assert (outcome.exit_code, "data, data.1" in outcome.reason) == (9, True)
    assert world.engine().instances == {}
