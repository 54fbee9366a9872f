"""What a plan leaves open is decided once, from what there is, and kept."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from llmstack.core.deciding import with_limits
from llmstack.core.desired import Wanted
from llmstack.core.observe import Facts, Observed
from llmstack.core.plan import plan_up
from llmstack.core.policy import Policy
from llmstack.core.select import Picked, in_order
from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.event import EventType
from llmstack.domain.footprint import Footprint
from llmstack.domain.gpu import Gpu, Owner
from llmstack.domain.instance import Need, State, Weights
from llmstack.domain.measured import Peak
from llmstack.domain.plan import Action, ActionKind
from llmstack.domain.resources import Resources
from tests.unit.core.test_apply_order import seen
from tests.unit.core.world import World

GIB = 1 << 30
SMALL = Gpu(0, "GPU-small", "T4", 16 * GIB, 0)
LARGE = Gpu(1, "GPU-large", "A100", 80 * GIB, 0)
WEIGHTS = Weights(source="file:m", path="/none", fingerprint="f", size_bytes=8 * GIB)


@pytest.fixture
def world() -> World:
    made = World()
    made.gpus.found = (SMALL, LARGE)
    made.engine().told = EngineFacts(name="docker", memory_bytes=64 * GIB, cpus=8)
    return made


def want(world: World, name: str = "demo", weights: Weights | None = WEIGHTS, **resources: Any) -> Wanted:
    wanted = world.want(name, weights=weights)
    made = replace(wanted, spec=replace(wanted.needed_spec, resources=Resources(**resources)))
    world.all[wanted.target] = made
    return made


def plan(
    world: World, peaks: dict[str, Peak] | None = None, observed: Observed | None = None, *, re_decide: bool = False
) -> list[Action]:
    picked = [Picked(item, item.placement.models) for item in in_order(tuple(world.all.values()))]
    again, policy = (
        partial(plan_up, picked, observed or seen(world)),
        Policy(re_decide=frozenset(world.all if re_decide else ())),
    )
    made = with_limits(again(policy), again, policy, world.context(), lambda *key: (peaks or {}).get(key[-1]))
    return list(made.actions)


def takes(monkeypatch: pytest.MonkeyPatch, world: World, size: int) -> None:
    """Every model of type `loader` is that large."""
    found = Footprint(weights_bytes=size, kv_bytes=0, context=8)
    monkeypatch.setattr(type(world.types["loader"]), "footprint", lambda *_: found)


def measured(gpu_bytes: int) -> Peak:
    return Peak(image="i", model="f", context=8, gpu_kind="T4", host="h", container_name="c", gpu_bytes=gpu_bytes)


def test_two_of_one_plan_do_not_get_the_same_memory(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    takes(monkeypatch, world, 9 * GIB)
    want(world, "one", gpus=("auto",))
    want(world, "two", gpus=("auto",))
    actions = plan(world)
    assert [action.spec.limits.gpus for action in actions if action.spec] == [("GPU-small",), ("GPU-large",)]
    assert actions[0].reason == "not there; gpus GPU 0 T4, 9.8 GiB of 15.0 GiB free, estimated"


def test_it_is_decided_once_and_anew_only_when_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    takes(monkeypatch, world, 9 * GIB)
    made = want(world, gpus=("auto",), memory_bytes="auto")
    (action,) = plan(world)
    assert action.spec
    world.run(replace(made, spec=action.spec))
    world.gpus.found = (replace(SMALL, memory_used_bytes=15 * GIB, process_bytes={7: 15 * GIB}), LARGE)
    world.engine().calls.clear()
    assert [each.kind for each in plan(world)] == [ActionKind.KEEP]
    assert not [call for call in world.engine().calls if call.name == "facts"]
    (again,) = plan(world, re_decide=True)
    assert (again.kind, again.spec and again.spec.limits.gpus) == (ActionKind.REPLACE, ("GPU-large",))
    told = {change.field: (change.before, change.after) for change in again.changes}
    assert told["gpus"] == ("auto (GPU-small)", "auto (GPU-large)")
    assert told["memory_bytes"][1].isdecimal()


@pytest.mark.parametrize(("size", "told"), [(20 * GIB, True), (9 * GIB, False)])
def test_a_limit_that_was_decided_once_and_is_too_small_now_is_warned_of(
    world: World, monkeypatch: pytest.MonkeyPatch, size: int, told: bool
) -> None:
    takes(monkeypatch, world, 9 * GIB)
    made = want(world, memory_bytes="auto")
    (action,) = plan(world)
    assert action.spec
    world.run(replace(made, spec=action.spec))
    takes(monkeypatch, world, size)
    world.all[made.target] = replace(made, spec=replace(made.needed_spec, wish={"args": ["--more"]}, command=("more",)))
    (again,) = plan(world)
    assert again.kind is ActionKind.REPLACE
    assert again.spec
    assert again.spec.limits.memory_bytes == action.spec.limits.memory_bytes
    assert ("memory stays 10.0 GiB, as it was decided once; now it would be memory 21.0 GiB" in again.reason) is told
    assert ("--re-decide" in again.reason, len(world.ears.of(EventType.WARNING))) == (told, int(told))


@pytest.mark.parametrize("state", [State.STARTING, State.STOPPED])
@pytest.mark.parametrize("engine", ["docker", "process"])
def test_what_would_be_decided_again_just_as_it_is_stays(
    world: World, monkeypatch: pytest.MonkeyPatch, engine: str, state: State
) -> None:
    takes(monkeypatch, world, 6 * GIB)
    world.engine(kind=engine).told = EngineFacts(name=engine, memory_bytes=64 * GIB, cpus=8)
    for number, name in enumerate(("one", "two"), start=1):
        wanted = world.want(name, engine=engine, port="auto", weights=WEIGHTS)
        gpus = ("auto",) if engine == "docker" else ()
        resources = Resources(gpus=gpus, memory_bytes="auto", cpus="auto", shm_bytes="auto", pids="auto")
        wanted = replace(wanted, spec=replace(wanted.needed_spec, resources=resources))
        world.all[wanted.target] = wanted
        (spec,) = (action.spec for action in plan(world) if action.spec and action.spec.service == name)
        port = world.engine(kind=engine).decide_port(spec)
        there = world.run(replace(wanted, spec=spec.with_decided(port=str(port))))
        world.engine(kind=engine).instances[there.container_name] = replace(
            there, state=state, running=state is State.STARTING
        )
        world.gpus.owners[number] = Owner(there.container_name)
        held = dict.fromkeys(range(1, number + 1), 7 * GIB)
        world.gpus.found = (replace(SMALL, memory_used_bytes=7 * number * GIB, process_bytes=held), LARGE)
    kind = ActionKind.KEEP if state is State.STARTING else ActionKind.START
    assert [action.kind for action in plan(world, re_decide=True)] == [kind, kind]


def test_a_port_is_decided_anew_where_a_better_one_is_free(world: World) -> None:
    wanted = world.want(port="auto")
    for port, kind in (("8080", ActionKind.KEEP), ("8123", ActionKind.REPLACE)):
        world.engine().instances.clear()
        world.run(replace(wanted, spec=wanted.needed_spec.with_decided(port=port)))
        (action,) = plan(world, re_decide=True)
        assert action.kind is kind
    assert [str(change.after) for change in action.changes] == ["auto"]


def test_a_guess_only_warns_and_a_measurement_refuses(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    takes(monkeypatch, world, 90 * GIB)
    want(world, gpus=("auto",))
    (warned,) = plan(replace_gpus(world, SMALL))
    assert (warned.kind, warned.spec and warned.spec.limits.gpus) == (ActionKind.CREATE, ("GPU-small",))
    assert "no GPU has room for 94.9 GiB" in warned.reason
    (refused,) = plan(world, {"T4": measured(20 * GIB)})
    assert (refused.kind, refused.error and refused.error.exit_code) == (ActionKind.REFUSED, 9)
    assert "no GPU has room for 20.0 GiB" in refused.reason
    (fits,) = plan(world, {"T4": measured(10 * GIB)})
    assert fits.reason.endswith("10.0 GiB of 15.0 GiB free, measured (estimated 94.9 GiB)")


def replace_gpus(world: World, *gpus: Gpu) -> World:
    world.gpus.found = gpus
    return world


def test_a_full_gpu_names_its_holder_and_the_down_that_helps(world: World) -> None:
    world.gpus.owners = {7: Owner("id-other")}
    other = world.run(world.want("other", port=9000))
    world.engine().instances["id-other"] = other
    want(world, gpus=("auto",))
    replace_gpus(world, replace(SMALL, memory_used_bytes=16 * GIB, process_bytes={7: 16 * GIB}))
    facts = Facts(needs=(Need(kind="weights", name="m", size_bytes=8 * GIB),))
    observed = replace(seen(world), facts=dict.fromkeys(world.all, facts))
    action = next(each for each in plan(world, observed=observed) if each.target.name == "demo")
    assert action.kind is ActionKind.REFUSED
    assert "held by other@localhost 16.0 GiB" in action.reason
    assert action.error
    assert action.error.hint == "llmstack down --service other   frees 16.0 GiB"


def test_a_machine_without_gpus_or_a_driver_that_is_silent(world: World) -> None:
    want(world, gpus=("auto",))
    (action,) = plan(replace_gpus(world))
    assert action.spec
    assert action.spec.limits.gpus == ()
    assert action.reason == "not there; gpus none: this machine has no NVIDIA GPU"
    world.gpus.found, world.gpus.reason = None, "the driver was updated"
    (action,) = plan(world)
    assert (action.kind, "was updated" in action.reason) == (ActionKind.UNREACHABLE, True)


def test_gpus_of_another_machine_are_all_of_them(world: World) -> None:
    wanted = world.want("far", host="gpu01")
    world.all = {wanted.target: replace(wanted, spec=replace(wanted.needed_spec, resources=Resources(gpus=("auto",))))}
    for gives, told in ((None, "from here, nor whether it has any"), (True, "from here")):
        world.engine("gpu01").told = EngineFacts(name="docker", gpu=gives)
        (action,) = plan(world)
        assert action.spec
        assert action.spec.limits.gpus == ("all",)
        assert action.reason.endswith(told)


def test_what_was_measured_is_found_however_its_gpus_were_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    takes(monkeypatch, world, GIB)
    peak = replace(measured(GIB), gpu_kind="A100", memory_bytes=40 * GIB)
    for gpus in (("GPU-large",), ("all",)):
        want(world, gpus=gpus, memory_bytes="auto")
        world.gpus.found = (LARGE,)
        (action,) = plan(world, {"A100": peak})
        assert "40.0 GiB measured" in action.reason


def test_on_a_card_without_memory_of_its_own_the_model_counts_as_the_machines(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    takes(monkeypatch, world, 20 * GIB)
    want(world, gpus=("auto",), memory_bytes="auto")
    (action,) = plan(replace_gpus(world, Gpu(0, "GPU-gb10", "GB10", unified=True)))
    assert action.kind is ActionKind.REFUSED  # nobody tells how much the machine has left
    world.engine().told = replace(world.engine().told, free_memory_bytes=60 * GIB)
    (action,) = plan(world)
    assert action.spec
    assert action.spec.limits.gpus == ("GPU-gb10",)
    assert "memory 21.0 GiB: weights 20.0 GiB" in action.reason
