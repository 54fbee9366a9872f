from __future__ import annotations

import pytest

from llmstack.domain.instance import Instance, InstanceSpec, Need, State
from llmstack.domain.progress import Progress
from llmstack.errors import LlmstackError, LockedError, PreflightError, UnreachableError
from llmstack.testing import FakeClock, FakeEngine

SPEC = InstanceSpec(
    stack="lab", service="demo", host="localhost", type="llamacpp", engine="docker", image="i:1", port=8080
)


def started(engine: FakeEngine, spec: InstanceSpec = SPEC) -> Instance:
    engine.create(spec)
    engine.start(spec.name)
    return seen(engine, spec)


def seen(engine: FakeEngine, spec: InstanceSpec = SPEC) -> Instance:
    instance = engine.inspect(spec.name)
    assert instance is not None
    return instance


def with_restart(policy: str) -> InstanceSpec:
    return InstanceSpec(
        stack="lab", service="demo", host="localhost", type="llamacpp", engine="docker", port=8080, restart=policy
    )


def test_calls_and_writes_are_recorded_in_order() -> None:
    engine = FakeEngine()
    engine.observe("lab")
    started(engine)
    assert engine.calls == [("observe", "lab"), ("create", SPEC.name), ("start", SPEC.name), ("inspect", SPEC.name)]
    assert engine.writes == [("create", SPEC.name), ("start", SPEC.name)]


def test_a_refusal_lasts_as_many_calls_as_it_says() -> None:
    engine = FakeEngine()
    engine.refuse("create", LlmstackError("no"), times=2)
    for _ in range(2):
        with pytest.raises(LlmstackError, match="no"):
            engine.create(SPEC)
    assert engine.create(SPEC).state is State.STOPPED


def test_an_engine_can_be_unreachable_until_it_is_allowed_again() -> None:
    engine = FakeEngine()
    engine.refuse("*", UnreachableError("gone"), times=None)
    for _ in range(3):
        with pytest.raises(UnreachableError):
            engine.observe(None)
    engine.allow("*")
    assert engine.observe(None) == ()


def test_a_crash_ends_an_instance_that_nobody_restarts() -> None:
    engine = FakeEngine()
    started(engine, with_restart("no"))
    engine.crash(SPEC.name, 137, out_of_memory=True)
    instance = seen(engine)
    assert (instance.state, instance.running, instance.exit_code) == (State.CRASHED, False, 137)
    assert instance.out_of_memory is True


def test_ending_well_by_itself_is_a_crash_too() -> None:
    engine = FakeEngine()
    started(engine, with_restart("no"))
    engine.crash(SPEC.name, 0)
    assert (seen(engine).state, seen(engine).exit_code) == (State.CRASHED, 0)


def test_a_restart_policy_brings_it_back_until_its_limit() -> None:
    engine = FakeEngine()
    started(engine, with_restart("on-failure:2"))
    for _ in range(2):
        engine.crash(SPEC.name)
        assert seen(engine).running
    assert seen(engine).restarts == 2
    engine.crash(SPEC.name)
    assert seen(engine).state is State.CRASHED


@pytest.mark.parametrize(
    ("policy", "code", "restarts"),
    [("no", 1, 0), ("no", 0, 0), ("unless-stopped", 0, 1), ("on-failure:3", 1, 3), ("on-failure:3", 0, 0)],
)
def test_a_scripted_start_crashes_by_its_policy(policy: str, code: int, restarts: int) -> None:
    engine = FakeEngine()
    engine.script("demo", "boom", exit_code=code)
    instance = started(engine, with_restart(policy))
    assert (instance.state, instance.restarts, instance.running) == (State.CRASHED, restarts, False)
    assert list(engine.logs(SPEC.name)) == ["boom"]


def test_needs_vanish_when_they_are_fetched() -> None:
    engine, reports = FakeEngine(), list[Progress]()
    need = Need(kind="image", name="i:1", size_bytes=10)
    engine.lack("demo", need)
    assert engine.missing(SPEC) == (need,)
    engine.fetch(need, SPEC, reports.append)
    assert engine.missing(SPEC) == ()
    assert [report.completed_bytes for report in reports] == [5, 10]


def test_an_occupied_port_is_avoided_and_named() -> None:
    engine = FakeEngine()
    engine.occupy(8080, "nginx (pid 7)")
    with pytest.raises(PreflightError, match="nginx"):
        engine.check_port(SPEC)
    auto = InstanceSpec(
        stack="lab", service="x", host="localhost", type="t", engine="docker", port="auto", container_port=8080
    )
    assert engine.decide_port(auto) == 8081
    with pytest.raises(LlmstackError, match="not decided"):
        engine.create(auto)


def test_a_lease_ends_by_the_clock() -> None:
    clock = FakeClock()
    engine = FakeEngine(clock=clock)
    with engine.lock("lab", "anna", 60):
        with pytest.raises(LockedError, match="anna"), engine.lock("lab", "bert", 60):
            pass
        clock.advance(61)
        with engine.lock("lab", "bert", 60):
            pass


def test_a_running_instance_cannot_be_removed() -> None:
    engine = FakeEngine()
    started(engine)
    with pytest.raises(LlmstackError, match="running"):
        engine.remove(SPEC.name)


def test_strangers_are_what_was_put_there() -> None:
    engine = FakeEngine()
    stranger = Instance(
        id="1", container_name="o", service="o", host="localhost", engine="docker", state=State.STARTING
    )
    engine.add_stranger(stranger)
    assert engine.strangers() == (stranger,)
    assert engine.observe(None) == ()


def test_the_clock_moves_only_by_hand() -> None:
    clock = FakeClock(1000.0)
    clock.sleep(2.5)
    clock.advance(1)
    assert (clock.now(), clock.monotonic(), clock.slept) == (1003.5, 3.5, [2.5])
    with pytest.raises(ValueError, match="go back"):
        clock.advance(-1)
