"""Who waits for whom, what a failure and Ctrl-C stop, and how it is counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from llmstack.core.apply import apply, by_target, check_only, clashed
from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.observe import Observed, sort_out
from llmstack.core.plan import plan_down, plan_restart, plan_up
from llmstack.core.select import Picked, in_order
from llmstack.domain.outcome import Outcome, RunResult, Status
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError
from tests.unit.core.world import LOADING, World, refuse, statuses


def picked(*wanted: Wanted) -> list[Picked]:
    return [Picked(item, item.placement.models) for item in in_order(wanted)]


def seen(world: World) -> Observed:
    return sort_out([row for engine in world.engines.values() for row in engine.instances.values()], {})


def up(world: World, *wanted: Wanted, context: Context | None = None) -> tuple[Outcome, ...]:
    return apply(plan_up(picked(*wanted), seen(world)), context or world.context())


def down(world: World, *wanted: Wanted) -> tuple[Outcome, ...]:
    return apply(plan_down(picked(*wanted), seen(world)), world.context("down"), down=True)


def chain(world: World) -> Sequence[Wanted]:
    db = world.want("db", "page", port=None)
    gate = world.want("gate", "page", port=9000, depends_on=("db",))
    page = world.want("page", "page", port=3000, depends_on=("gate",))
    return db, gate, page


def test_what_others_depend_on_is_ready_first_and_stops_last(world: World) -> None:
    wanted = chain(world)
    assert set(statuses(up(world, *wanted)).values()) == {"changed"}
    starts = [name for verb, name in world.engine().calls if verb == "start"]
    assert starts == ["llmstack-lab-db", "llmstack-lab-gate", "llmstack-lab-page"]
    down(world, *wanted)
    stops = [name for verb, name in world.engine().calls if verb == "stop"]
    assert stops == list(reversed(starts))
    assert world.engine().instances == {}


def test_a_failure_skips_its_dependants_and_only_them(world: World) -> None:
    wanted = (*chain(world), world.want("other", "page", port=4000))
    world.server(9000).lives = [LOADING]
    outcomes = up(world, *wanted)
    assert statuses(outcomes) == {
        "db@localhost": "changed",
        "gate@localhost": "unhealthy",
        "page@localhost": "skipped",
        "other@localhost": "changed",
    }
    skipped = next(outcome for outcome in outcomes if outcome.status is Status.SKIPPED)
    assert skipped.reason == "gate@localhost unhealthy"
    assert RunResult(task="up", outcomes=outcomes).exit_code == 6


def test_two_failures_of_different_kinds_have_no_code_in_common(world: World) -> None:
    first, second = world.want("first", port=1), world.want("second", port=2)
    world.engine().occupy(1, "nginx")
    world.server(2).lives = [LOADING]
    outcomes = up(world, first, second)
    assert RunResult(task="up", outcomes=outcomes).exit_code == 1


def test_a_service_waits_for_the_one_of_its_own_host(world: World) -> None:
    near, far = world.want("db", "page", port=5), world.want("db", "page", port=6, host="far")
    page = world.want("page", "page", port=7, depends_on=("db",))
    world.server(6).lives = [LOADING]
    assert statuses(up(world, near, far, page)) == {
        "db@localhost": "changed",
        "db@far": "unhealthy",
        "page@localhost": "changed",
    }


def test_a_service_waits_for_another_host_where_its_own_has_none(world: World) -> None:
    far, page = world.want("db", "page", port=6, host="far"), world.want("page", "page", depends_on=("db",))
    world.server(6).lives = [LOADING]
    assert statuses(up(world, far, page))["page@localhost"] == "skipped"


@pytest.mark.parametrize("forks", [1, 8])
def test_ctrl_c_rolls_back_what_is_under_way_and_starts_nothing_new(world: World, forks: int) -> None:
    wanted = chain(world)
    context = world.context(forks=forks)
    server = world.server(9000)
    server.lives = [LOADING]
    server.before = lambda _: context.interrupted.set()
    plan = plan_up(picked(*wanted), seen(world))
    outcomes = apply(plan, context)
    assert statuses(outcomes) == {
        "db@localhost": "changed",
        "gate@localhost": "interrupted",
        "page@localhost": "skipped",
    }
    assert set(world.engine().instances) == {"llmstack-lab-db"}
    assert (outcomes[1].exit_code, outcomes[1].reason) == (130, "interrupted; it was removed again")
    assert outcomes[2].reason == "interrupted"


@pytest.mark.parametrize(
    ("planner", "ran", "state", "runs"),
    [
        (plan_up, True, "it was left as it is", True),
        (plan_up, False, "it was stopped again", False),
        (plan_restart, True, "it runs, and was not waited for", True),
    ],
)
def test_what_was_interrupted_says_how_it_was_left(
    world: World, planner: Callable[..., Plan], ran: bool, state: str, runs: bool
) -> None:
    wanted = world.want()
    name = world.run(wanted).container_name
    if not ran:
        world.engine().stop(name, 1)
    context, server = world.context(), world.server()
    server.lives = [LOADING]
    server.before = lambda what: context.interrupted.set() if what == "liveness" else None
    (outcome,) = apply(planner(picked(wanted), seen(world)), context)
    assert (outcome.status, outcome.reason) == (Status.INTERRUPTED, f"interrupted; {state}")
    assert world.engine().instances[name].running is runs


def test_the_deadline_of_the_run_is_an_outcome_of_its_own(world: World) -> None:
    context = world.context(deadline=-1.0)
    (outcome,) = up(world, world.want(), context=context)
    assert (outcome.exit_code, world.engine().instances) == (124, {})


def test_a_name_that_somebody_took_in_between_is_found_with_what_it_held_up(world: World) -> None:
    wanted = chain(world)
    world.engine().refuse("create", LlmstackError("the name is taken", conflict=True))
    outcomes = up(world, *wanted)
    assert clashed(outcomes) == {item.target for item in wanted}
    assert clashed(outcomes[2:]) == set()


def test_a_check_changes_nothing_and_says_what_would(world: World) -> None:
    wanted = chain(world)
    world.run(wanted[0])
    plan = plan_up(picked(*wanted), seen(world))
    outcomes = check_only(plan)
    assert [outcome.status for outcome in outcomes] == [Status.OK, Status.WOULD_CHANGE, Status.WOULD_CHANGE]
    refused = Action(kind=ActionKind.REFUSED, target=wanted[0].target, reason="no", error=refuse())
    assert check_only(Plan((refused,)))[0].status is Status.UNHEALTHY


def test_each_target_counts_once_in_the_recap() -> None:
    target, other = Target("demo", "localhost"), Target("x", "far")
    outcomes = [
        Outcome(target=target, status=Status.CHANGED, reason="removed"),
        Outcome(target=target, status=Status.OK, reason="kept"),
        Outcome(target=other, status=Status.FAILED, reason="first"),
        Outcome(target=other, status=Status.SKIPPED, reason="second"),
    ]
    found = by_target(outcomes)
    assert [outcome.reason for outcome in found] == ["kept", "first"]
    recap = RunResult(task="up", outcomes=found).recap()
    assert recap == {"localhost": {Status.OK: 1}, "far": {Status.FAILED: 1}}


def test_an_outcome_takes_the_time_of_its_action(world: World) -> None:
    world.server().lives = [LOADING] * 40 + world.server().lives
    (outcome,) = up(world, world.want())
    assert 900 < outcome.ms < 1200
