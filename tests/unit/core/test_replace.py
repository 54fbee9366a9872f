"""The new one takes over, or the old one comes back; after a kill at any point the next run leaves exactly one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.core.apply import apply, clashed
from llmstack.core.desired import Wanted
from llmstack.core.generations import SETTLED_S
from llmstack.core.observe import sort_out
from llmstack.core.plan import plan_up
from llmstack.core.select import Picked
from llmstack.domain.event import EventType
from llmstack.domain.instance import Instance
from llmstack.domain.outcome import Outcome, Status
from llmstack.errors import InterruptedRunError, LlmstackError, PreflightError, UnreachableError
from tests.unit.core.world import LOADING, READY, World

NAME, PREV = "llmstack-lab-demo", "llmstack-lab-demo.prev"


class Killed(BaseException):
    """The process ends here, and nothing runs after it."""


def changed(world: World, port: int | str = 8080) -> Wanted:
    """An old one runs; another wish is wanted."""
    world.run(world.want(args=("--old",)))
    return world.want(args=("--new",), port=port)


def up(world: World, wanted: Wanted) -> Outcome:
    observed = sort_out(world.engine().observe("lab"), {})
    outcomes = apply(plan_up([Picked(wanted, wanted.placement.models)], observed), world.context())
    return outcomes[-1]


def only(world: World) -> Instance:
    (there,) = world.engine().instances.values()
    return there


def args(there: Instance) -> tuple[str, ...]:
    assert there.spec is not None
    return there.spec.command


def test_the_old_one_goes_when_the_new_one_is_proved(world: World) -> None:
    outcome = up(world, changed(world))
    assert outcome.status is Status.CHANGED
    assert (only(world).container_name, args(only(world)), only(world).running) == (NAME, ("--new",), True)
    assert [verb for verb, _ in world.engine().writes] == ["rename", "create", "stop", "start", "remove"]


def test_the_old_one_comes_back_when_the_new_one_fails(world: World) -> None:
    wanted = changed(world)
    server = world.server()
    server.lives = [LOADING] * 3000 + [READY]
    outcome = up(world, wanted)
    assert outcome.status is Status.UNHEALTHY
    assert (
        outcome.reason
        == "weights: not ready within 60 s, last rung reached: api (503 loading model); the old one is back and ready"
    )
    assert outcome.error is not None
    assert (outcome.exit_code, outcome.error.data) == (6, {"rolled_back": True})
    assert outcome.ladder is not None
    assert outcome.ladder.why is not None
    assert outcome.ladder.why.meaning == "The old one is back and ready."
    assert (only(world).container_name, args(only(world)), only(world).running) == (NAME, ("--old",), True)


def test_a_crash_that_explains_itself_nowhere_has_a_next_step_that_is_not_the_old_ones_log(world: World) -> None:
    wanted = changed(world)
    world.engine().script("demo", "odd", exit_code=4)
    outcome = up(world, wanted)
    assert outcome.error is not None
    assert outcome.ladder is not None
    assert outcome.ladder.why is not None
    assert (
        outcome.ladder.why.do
        == outcome.error.hint
        == (
            "change demo in the inventory by the last lines of its log, here and in `llmstack history`, then "
            "`llmstack up --service demo`"
        )
    )


def test_an_old_one_that_does_not_get_ready_again_is_told(world: World) -> None:
    wanted = changed(world)
    world.server().lives = [LOADING]
    outcome = up(world, wanted)
    assert "; the old one is back, but not ready: not ready within" in outcome.reason


def test_an_old_one_that_did_not_run_is_not_started(world: World) -> None:
    wanted = changed(world)
    world.engine().stop(NAME, 1)
    world.server().lives = [LOADING]
    outcome = up(world, wanted)
    assert outcome.reason.endswith("the old one is back")
    assert (args(only(world)), only(world).running) == (("--old",), False)


def test_a_fall_back_to_the_cpu_brings_the_old_one_back_too(world: World) -> None:
    world.run(world.want(args=("--old",)))
    outcome = up(world, world.want(args=("--new",), gpus=("all",)))
    assert outcome.reason == "device: cpu!; it was given a GPU, and computes on the CPU; the old one is back and ready"
    assert args(only(world)) == ("--old",)


def test_the_rungs_of_the_old_one_are_not_shown_as_the_new_ones(world: World) -> None:
    wanted = changed(world)
    world.server().lives = [LOADING] * 3000 + [READY]
    outcome = up(world, wanted)
    assert outcome.ladder is not None
    assert [rung.rung for rung in outcome.ladder.rungs] == world.rungs()


@pytest.mark.parametrize("verb", ["create", "stop", "start", "check_port"])
def test_whatever_the_engine_refuses_the_old_one_stays(world: World, verb: str) -> None:
    wanted = changed(world)
    world.engine().refuse(verb, LlmstackError("no"))
    outcome = up(world, wanted)
    assert outcome.error is not None
    assert (outcome.status, outcome.error.data["rolled_back"]) == (Status.FAILED, True)
    assert outcome.reason == "no; the old one is back and ready"
    assert (only(world).container_name, args(only(world)), only(world).running) == (NAME, ("--old",), True)


@pytest.mark.parametrize("done", [True, False])
def test_a_rename_whose_answer_is_lost_is_undone_if_it_was_done(world: World, done: bool) -> None:
    wanted, engine = changed(world), world.engine()
    rename = engine.rename

    def lost(name: str, new_name: str) -> None:
        engine.rename = rename  # type: ignore[method-assign]
        if done:
            rename(name, new_name)
        raise UnreachableError("connection reset")

    engine.rename = lost  # type: ignore[method-assign]
    outcome = up(world, wanted)
    assert (outcome.status, outcome.reason) == (
        Status.UNREACHABLE,
        "connection reset; the old one is back and ready",
    )
    assert (only(world).container_name, args(only(world)), only(world).running) == (NAME, ("--old",), True)


def test_an_old_one_that_cannot_be_removed_is_told_and_goes_with_the_next_up(world: World) -> None:
    wanted = changed(world)
    world.engine().refuse("remove", LlmstackError("removal is already in progress"))
    assert up(world, wanted).status is Status.CHANGED
    (warning,) = world.ears.of(EventType.WARNING)
    assert warning.message == f"{PREV} stays, at rest, until the next up: removal is already in progress"
    assert up(world, wanted).status is Status.CHANGED
    assert (only(world).container_name, args(only(world))) == (NAME, ("--new",))


def test_another_port_that_is_taken_is_found_before_anything_changes(world: World) -> None:
    wanted = changed(world, port=9999)
    world.engine().occupy(9999, "nginx")
    outcome = up(world, wanted)
    assert isinstance(outcome.error, PreflightError)
    assert world.engine().writes == []


def test_a_name_that_somebody_took_is_left_to_them(world: World) -> None:
    wanted = changed(world)
    world.engine().refuse("create", LlmstackError("the name is taken", conflict=True))
    outcome = up(world, wanted)
    assert clashed([outcome]) == {wanted.target}
    assert [verb for verb, _ in world.engine().writes] == ["rename", "create"]
    assert up(world, wanted).status is Status.CHANGED
    assert args(only(world)) == ("--new",)


def test_an_engine_that_refuses_even_to_go_back_is_told_with_what_is_left(world: World) -> None:
    wanted = changed(world)
    world.engine().refuse("create", LlmstackError("no space"))
    rename, renames = world.engine().rename, []

    def once(name: str, new_name: str) -> None:
        renames.append(name)
        if len(renames) > 1:
            raise LlmstackError("busy")
        rename(name, new_name)

    world.engine().rename = once  # type: ignore[method-assign]
    outcome = up(world, wanted)
    assert outcome.error is not None
    assert outcome.reason == f"could not bring back {NAME}: busy"
    assert outcome.error.hint == f"the old one is {PREV}: llmstack up brings one of them to a good end"


def test_ctrl_c_brings_the_old_one_back(world: World) -> None:
    wanted = changed(world)
    server, context = world.server(), world.context()
    server.lives = [LOADING]
    server.before = lambda _: context.interrupted.set()
    observed = sort_out(world.engine().observe("lab"), {})
    (outcome,) = apply(plan_up([Picked(wanted, wanted.placement.models)], observed), context)
    assert isinstance(outcome.error, InterruptedRunError)
    assert (outcome.status, outcome.exit_code) == (Status.INTERRUPTED, 130)
    assert outcome.reason == "interrupted; the old one is back and runs; it was not waited for"
    assert (args(only(world)), only(world).running) == (("--old",), True)


def test_a_fault_of_our_own_brings_the_old_one_back_too(world: World) -> None:
    wanted = changed(world)
    server = world.server()

    def fault(_: str) -> None:
        raise Killed

    server.before = fault
    with pytest.raises(Killed):
        up(world, wanted)
    assert (args(only(world)), only(world).running) == (("--old",), True)


WRITES = ("rename", "create", "stop", "start", "remove")


@pytest.mark.parametrize("last", range(len(WRITES)))
def test_after_a_kill_at_any_point_the_next_up_leaves_exactly_one(world: World, last: int) -> None:
    wanted = changed(world)
    engine = world.engine()
    dead = []

    def kill_after(verb: str) -> None:
        real = getattr(engine, verb)

        def call(*given: object) -> object:
            if dead:
                raise Killed
            done = real(*given)
            if verb == WRITES[last]:
                dead.append(verb)
                raise Killed
            return done

        setattr(engine, verb, call)

    for verb in WRITES:
        kill_after(verb)
    with pytest.raises(Killed):
        up(world, wanted)
    for verb in WRITES:
        delattr(engine, verb)
    outcome = up(world, wanted)
    assert outcome.error is None
    assert (only(world).container_name, args(only(world)), only(world).running) == (NAME, ("--new",), True)
    assert up(world, wanted).status is Status.OK


def test_an_old_one_that_is_all_that_is_left_comes_back_if_the_new_one_fails_again(world: World) -> None:
    wanted = changed(world)
    world.engine().rename(NAME, PREV)
    world.server().lives = [LOADING] * 3000 + [READY]
    assert up(world, wanted).status is Status.UNHEALTHY
    assert (only(world).container_name, args(only(world)), only(world).running) == (NAME, ("--old",), True)


def killed_in_its_ladder(world: World) -> Wanted:
    """Both are there, and the new one runs."""
    wanted = changed(world)
    there = world.engine().instances[NAME]
    world.engine().add(replace(there, container_name=PREV, running=False))
    assert wanted.spec is not None
    world.engine().add(replace(there, id="new", spec=wanted.spec))
    return wanted


def test_a_new_one_whose_ladder_was_cut_off_must_be_ready_or_the_old_one_comes_back(world: World) -> None:
    wanted = killed_in_its_ladder(world)
    world.server().lives = [LOADING] * 3000 + [READY]
    observed = sort_out(world.engine().observe("lab"), {})
    kept, removed = apply(plan_up([Picked(wanted, wanted.placement.models)], observed), world.context())
    assert (kept.status, removed.status) == (Status.UNHEALTHY, Status.SKIPPED)
    assert kept.reason.endswith("; the old one is back and ready")
    assert (args(only(world)), only(world).running) == (("--old",), True)


def test_what_has_been_used_for_long_is_no_half_done_replace(world: World) -> None:
    wanted = killed_in_its_ladder(world)
    world.clock.advance(SETTLED_S + 1)
    world.server().lives = [LOADING]
    assert up(world, wanted).status is Status.SKIPPED
    assert set(world.engine().instances) == {NAME, PREV}
