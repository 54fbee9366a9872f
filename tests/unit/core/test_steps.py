"""Who waits for whom, how a change rolls over hosts, and who warms up beside whom on a GPU."""

from __future__ import annotations

import threading

import pytest

from llmstack.core.apply import apply
from llmstack.core.desired import Wanted
from llmstack.core.observe import sort_out
from llmstack.core.plan import plan_up
from llmstack.core.policy import Policy
from llmstack.core.remember import remember
from llmstack.core.select import Picked
from llmstack.core.starting import gpus_of
from llmstack.core.steps import batch_size, steps_of
from llmstack.domain.instance import Instance, State
from llmstack.domain.outcome import Outcome
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.service import Update
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError
from llmstack.store.store import Store
from tests.unit.core.world import LOADING, World, statuses

HOSTS = ("one", "two", "three", "four")


def test_steps_of_one_target_keep_their_order() -> None:
    target = Target("demo", "localhost")
    actions = [
        Action(kind=ActionKind.REMOVE, target=target, reason="x"),
        Action(kind=ActionKind.CREATE, target=target, reason="y"),
    ]
    assert [step.after for step in steps_of(Plan(tuple(actions)), down=False)] == [(), (0,)]


@pytest.mark.parametrize(
    ("serial", "hosts", "size"), [(1, 4, 1), (3, 4, 3), ("50%", 4, 2), ("25%", 3, 1), ("100%", 7, 7)]
)
def test_a_batch_is_a_number_or_a_share_and_never_empty(serial: int | str, hosts: int, size: int) -> None:
    assert batch_size(serial, hosts) == size


def test_a_port_is_taken_once_it_is_free_and_not_where_that_failed(world: World) -> None:
    here, far = world.run(world.want("old", "page")), world.run(world.want("old", "page", host="far"))
    wanted = [world.want("new", "page", host=host) for host in ("localhost", "far")]
    world.engine("far").refuse("remove", LlmstackError("no"))
    plan = plan_up([Picked(item) for item in wanted], sort_out([here, far], {}), Policy(orphans=(here, far)))
    assert statuses(apply(plan, world.context(forks=8))) == {
        "old@localhost": "changed",
        "old@far": "failed",
        "new@localhost": "changed",
        "new@far": "skipped",
    }


def test_gpus_are_taken_once_who_goes_has_left_them(world: World) -> None:
    old = world.run(world.want("old", gpus=("all",)))
    new, other = world.want("new", gpus=("0",), port=8081), world.want("other", "page", port=8082)
    plan = plan_up([Picked(new), Picked(other)], sort_out([old], {}), Policy(orphans=(old,)))
    assert [(str(step.action.target), step.after) for step in steps_of(plan, down=False)] == [
        ("old@localhost", ()),
        ("new@localhost", (0,)),
        ("other@localhost", ()),
    ]


def swap(world: World) -> tuple[Plan, Instance]:
    """Two whose ports the inventory has swapped since they were made; the first one's instance too."""
    there = [world.run(world.want(name, "page", port=port)) for name, port in (("a", 8001), ("b", 8002))]
    wanted = [world.want(name, "page", port=port) for name, port in (("a", 8002), ("b", 8001))]
    return plan_up([Picked(item) for item in wanted], sort_out(there, {})), there[0]


def test_ports_are_swapped_and_the_store_knows_that_both_run(world: World, store: Store) -> None:
    plan, _ = swap(world)
    context = world.context()
    outcomes = apply(plan, context)
    assert [(str(one.target), one.action and one.action.kind.value, one.status.value) for one in outcomes] == [
        ("a@localhost", "stop", "changed"),
        ("b@localhost", "replace", "changed"),
        ("a@localhost", "replace", "changed"),
    ]
    ports = {name: (there.port, there.running) for name, there in world.engine().instances.items()}
    assert ports == {"llmstack-lab-a": (8002, True), "llmstack-lab-b": (8001, True)}
    remember(outcomes, context, store)
    assert [(row.name, row.port, row.status) for row in store.models()] == [
        ("a", 8002, "active"),
        ("b", 8001, "active"),
    ]


def test_where_a_swap_fails_both_are_there_and_what_stopped_first_is_known_to_rest(world: World, store: Store) -> None:
    plan, first = swap(world)
    world.engine().refuse("create", LlmstackError("no"))
    context = world.context()
    outcomes = apply(plan, context)
    assert [one.status.value for one in outcomes] == ["changed", "failed", "skipped"]
    now = world.engine().instances
    assert (now["llmstack-lab-b"].port, now["llmstack-lab-b"].running) == (8002, True)
    assert (now["llmstack-lab-a"].id, now["llmstack-lab-a"].running) == (first.id, False)
    remember(outcomes, context, store)
    assert {row.name: row.state for row in store.models()}["a"] is State.STOPPED


def changed(world: World, update: Update) -> list[Wanted]:
    """The same service on four hosts, running with old arguments; each host has a server of its own."""
    for port, host in enumerate(HOSTS, 8001):
        world.run(world.want(args=("--old",), host=host, port=port))
    return [world.want(args=("--new",), host=host, port=port, update=update) for port, host in enumerate(HOSTS, 8001)]


def up(world: World, wanted: list[Wanted]) -> tuple[Outcome, ...]:
    rows = [row for engine in world.engines.values() for row in engine.instances.values()]
    plan = plan_up([Picked(item, item.placement.models) for item in wanted], sort_out(rows, {}))
    return apply(plan, world.context())


def test_a_change_rolls_in_batches_and_stops_when_too_many_have_failed(world: World) -> None:
    wanted = changed(world, Update(serial=2, max_fail=0))
    world.server(8001).lives = [LOADING]
    outcomes = up(world, wanted)
    assert statuses(outcomes) == {
        "demo@one": "unhealthy",
        "demo@two": "changed",
        "demo@three": "skipped",
        "demo@four": "skipped",
    }
    assert outcomes[2].reason == "demo@one unhealthy, and update.max_fail is 0"
    assert world.engine("three").writes == []


def test_as_many_as_are_allowed_may_fail(world: World) -> None:
    wanted = changed(world, Update(serial=1, max_fail=1))
    world.server(8001).lives = [LOADING]
    assert list(statuses(up(world, wanted)).values()) == ["unhealthy", "changed", "changed", "changed"]


def test_the_next_batch_begins_when_the_one_before_has_ended(world: World) -> None:
    wanted = changed(world, Update(serial="50%"))
    assert [step.gate for step in steps_of(_plan(world, wanted), down=False)] == [(), (), (0, 1), (0, 1)]


def test_what_is_created_does_not_wait_for_other_hosts(world: World) -> None:
    wanted = [world.want(host=host, port=port) for port, host in enumerate(HOSTS, 8001)]
    assert {step.gate for step in steps_of(_plan(world, wanted), down=False)} == {()}


def _plan(world: World, wanted: list[Wanted]) -> Plan:
    rows = [row for engine in world.engines.values() for row in engine.instances.values()]
    return plan_up([Picked(item, item.placement.models) for item in wanted], sort_out(rows, {}))


def test_what_takes_any_gpu_waits_for_everyone_who_named_one(world: World) -> None:
    named, other = world.want("a", gpus=("GPU-1",)), world.want("b", gpus=("GPU-2", "GPU-1"))
    anyone, two = world.want("c", gpus=("all",)), world.want("d", gpus=("2",))
    far, none = world.want("e", gpus=("GPU-9",), host="far"), world.want("f")
    context = world.context()
    assert [gpus_of(item, context) for item in (named, other, anyone, two, far, none)] == [
        ["GPU-1"],
        ["GPU-1", "GPU-2"],
        ["GPU-1", "GPU-2", "any"],
        ["GPU-1", "GPU-2", "any"],
        ["GPU-9"],
        [],
    ]


def test_one_warms_up_at_a_time_on_a_gpu(world: World) -> None:
    wanted = [world.want(name, port=port, gpus=("GPU-1",)) for port, name in enumerate(("a", "b", "c"), 8001)]
    busy, most = set[int](), [0]
    guard = threading.Lock()

    def watch(port: int):  # type: ignore[no-untyped-def]
        def called(what: str) -> None:
            with guard:
                busy.add(port) if what == "liveness" else busy.discard(port)
                most[0] = max(most[0], len(busy))

        return called

    for port in (8001, 8002, 8003):
        world.server(port).lives = [LOADING] * 20 + world.server(port).lives
        world.server(port).before = watch(port)
    statuses(up(world, wanted))
    assert most == [1]
