"""What an engine tells and guards, the same on every engine: ports, logs, crashes, labels, locks, needs."""

from __future__ import annotations

from dataclasses import replace

import psutil
import pytest

from llmstack.domain.instance import Mount, Need, State
from llmstack.domain.resources import Resources
from llmstack.domain.secret import Sealed, Secret
from llmstack.errors import LlmstackError, LockedError, NoMatchError, PreflightError
from llmstack.protocols import Ability
from tests.contract.benches import LOG, NAME, Bench, FakeBench, seen, started
from tests.desk import free_port, until


def test_a_taken_port_is_refused_with_its_holder(bench: Bench) -> None:
    spec = bench.spec()
    with bench.taken(int(spec.port or 0)), pytest.raises(PreflightError, match=str(spec.port)) as raised:
        bench.engine.check_port(spec)
    assert "pid" in str(raised.value.data["holder"])


def test_the_port_of_another_instance_is_refused_and_its_own_is_not(bench: Bench) -> None:
    instance = started(bench, bench.spec())
    until(lambda: bench.get(instance))
    bench.engine.check_port(bench.spec())
    with pytest.raises(PreflightError, match=str(instance.port)):
        bench.engine.check_port(bench.spec("second"))


def test_a_name_of_another_stack_and_a_taken_port_are_no_place(bench: Bench) -> None:
    other = bench.spec("x-y")
    mine = replace(other, stack=f"{other.stack}-x", service="y", port=None)
    assert mine.name == bench.engine.create(other).container_name
    with pytest.raises(PreflightError, match=f"the name {mine.name} .*is taken") as raised:
        bench.engine.check_place(mine)
    assert raised.value.data["holder"] == mine.name
    bench.engine.check_place(other)
    with bench.taken(int(other.port or 0)), pytest.raises(PreflightError, match=str(other.port)):
        bench.engine.check_place(other)


def test_automatic_ports_avoid_what_is_taken_and_what_was_promised(bench: Bench) -> None:
    wish = free_port()
    first = bench.spec(port="auto", container_port=wish)
    with bench.taken(wish):
        port = bench.engine.decide_port(first)
        assert port > wish
        bench.engine.create(first.with_decided(port=str(port)))
        assert bench.engine.decide_port(bench.spec("second", port="auto", container_port=wish)) > port
        assert bench.engine.decide_port(first) == port


def test_log_lines_come_whole_and_oldest_first(bench: Bench) -> None:
    started(bench, bench.spec(does="exit:0", restart="no"))
    until(lambda: not seen(bench).running)
    assert sorted(bench.engine.logs(NAME)) == sorted(LOG)
    assert [line for line in bench.engine.logs(NAME) if "line" in line] == [LOG[0], LOG[2]]
    assert list(bench.engine.logs(NAME, tail=1)) == list(bench.engine.logs(NAME))[-1:]
    assert list(bench.engine.logs(NAME, tail=0)) == []


def test_a_followed_log_ends_with_the_instance(bench: Bench) -> None:
    instance = started(bench, bench.spec(restart="no"))
    lines = bench.engine.logs(NAME, follow=True)
    assert next(lines) in LOG
    bench.die(instance)
    assert LOG[2] in list(lines)


def test_a_program_that_fails_has_crashed(bench: Bench) -> None:
    started(bench, bench.spec(does="exit:3", restart="no"))
    instance = until(lambda: (now := seen(bench)).exit_code is not None and now)
    assert (instance.state, instance.running, instance.exit_code) == (State.CRASHED, False, 3)
    assert instance.out_of_memory in (False, None)
    assert [each.state for each in bench.engine.observe("contract")] == [State.CRASHED]


def test_a_program_that_ends_well_by_itself_has_crashed_where_that_can_be_told(bench: Bench) -> None:
    started(bench, bench.spec(does="exit:0", restart="no"))
    instance = until(lambda: (now := seen(bench)).exit_code is not None and now)
    expected = State.CRASHED if bench.knows_intent else State.STOPPED
    assert (instance.state, instance.running, instance.exit_code) == (expected, False, 0)


def test_a_crash_is_restarted_as_often_as_the_policy_says(bench: Bench) -> None:
    started(bench, bench.spec(does="exit:3", restart="on-failure:2"))
    instance = until(lambda: (now := seen(bench)).restarts == 2 and not now.running and now)
    assert (instance.state, instance.running, instance.restart_policy) == (State.CRASHED, False, "on-failure:2")


def test_what_ends_by_itself_is_brought_back_and_counted(bench: Bench) -> None:
    instance = started(bench, bench.spec(restart="unless-stopped"))
    bench.die(instance)
    until(lambda: (seen(bench).restarts or 0) == 1 and bench.get(instance))
    assert seen(bench).running


def test_a_stop_ends_a_crash_loop(bench: Bench) -> None:
    started(bench, bench.spec(does="exit:3", restart="always"))
    until(lambda: (seen(bench).restarts or 0) >= 1)
    bench.engine.stop(NAME, 5)
    restarts = seen(bench).restarts
    assert not seen(bench).running
    assert seen(bench).restarts == restarts


def test_the_spec_comes_back_from_the_label_as_it_was(bench: Bench) -> None:
    spec = bench.spec(
        port="auto",
        container_port=8080,
        env={"A": "1", "EMPTY": ""},
        resources=Resources(memory_bytes=64 * 2**20, cpus=0.5, pids=64),
        restart="on-failure:3",
        models={"demo": "llama3:8b"},
        depends_on=("db",),
        inventory="/etc/llmstack/inventory.yaml",
        mounts=(Mount(source="contract-data", target="/data", volume=True),),
    ).with_decided(port=str(free_port()))
    bench.engine.create(spec)
    assert seen(bench).spec == spec
    assert [each.spec for each in bench.engine.observe("contract")] == [spec]


def test_secrets_reach_the_program_and_stand_nowhere_else(bench: Bench) -> None:
    spec = bench.spec(secrets={"TOKEN": Secret("env:TOKEN", lambda: "hunter2")})
    instance = started(bench, spec)
    expected = "hello, hunter2" if bench.real else "hello, nobody"
    assert until(lambda: bench.get(instance)) == expected
    sealed = instance.spec.secrets["TOKEN"] if instance.spec else None
    assert isinstance(sealed, Sealed)
    assert sealed.matches("hunter2")
    assert "hunter2" not in repr(instance)
    assert "hunter2" not in repr(bench.engine.observe(None))


def test_each_stack_sees_its_own(bench: Bench) -> None:
    bench.engine.create(bench.spec())
    bench.engine.create(bench.spec(stack="other"))
    assert [each.container_name for each in bench.engine.observe("contract")] == [NAME]
    assert [each.stack for each in bench.engine.observe("other")] == ["other"]
    assert {each.stack for each in bench.engine.observe(None)} == {"contract", "other"}
    assert bench.engine.observe("contra") == ()


def test_a_lock_has_one_holder_at_a_time(bench: Bench) -> None:
    with bench.engine.lock("contract", "anna@here", 60):
        with pytest.raises(LockedError, match="anna@here"), bench.engine.lock("contract", "bert@there", 60):
            pass
        with bench.engine.lock("other", "bert@there", 60):
            assert bench.engine.observe(None) == ()
    with bench.engine.lock("contract", "bert@there", 60):
        pass


def test_a_lock_is_released_when_its_holder_fails(bench: Bench) -> None:
    with pytest.raises(ZeroDivisionError), bench.engine.lock("contract", "anna@here", 60):
        _ = 1 / 0
    with bench.engine.lock("contract", "bert@there", 60):
        pass


def test_a_lock_that_is_over_is_taken_over_and_not_released_by_its_old_holder(bench: Bench) -> None:
    if not bench.leases:
        with bench.engine.lock("contract", "anna@here", 0), pytest.raises(LockedError):  # its end is its holder's end
            bench.engine.lock("contract", "bert@there", 60).__enter__()
        return
    late = bench.engine.lock("contract", "anna@here", 0)
    late.__enter__()
    with bench.engine.lock("contract", "bert@there", 60):
        late.__exit__(None, None, None)
        with pytest.raises(LockedError, match="bert@there"), bench.engine.lock("contract", "carl", 60):
            pass


def test_what_runs_has_processes_of_this_machine(bench: Bench) -> None:
    started(bench, bench.spec())
    pids = bench.engine.pids(NAME)
    assert pids
    assert not bench.real or all(psutil.pid_exists(pid) for pid in pids)


def test_nothing_is_missing_for_what_can_be_created(bench: Bench) -> None:
    assert bench.engine.missing(bench.spec()) == ()


def test_what_is_missing_is_named_before_anything_is_made(bench: Bench) -> None:
    spec = bench.spec(image="nowhere.invalid/none:1", program=("no-such-program",))
    if not bench.real:
        bench.engine.lack("web", Need(kind="image", name="nowhere.invalid/none:1"))  # type: ignore[attr-defined]
    if Ability.IMAGES in bench.engine.abilities:
        assert bench.engine.missing(spec) == (Need(kind="image", name="nowhere.invalid/none:1"),)
    else:
        with pytest.raises(PreflightError, match="no-such-program"):
            bench.engine.missing(spec)
    assert bench.engine.observe(None) == ()


def test_our_own_instances_are_no_strangers(bench: Bench) -> None:
    started(bench, bench.spec("ollama"))
    assert "llmstack-contract-ollama" not in {each.container_name for each in bench.engine.strangers()}


def test_a_running_instance_uses_memory_and_a_stopped_one_nothing(bench: Bench) -> None:
    instance = started(bench, bench.spec(restart="no"))
    until(lambda: bench.get(instance))
    assert all(usage.memory_bytes for usage in bench.engine.usages([NAME], quick=True).values())
    for quick in (False, True):  # the second look may go by the first
        found = bench.engine.usages([NAME, "llmstack-contract-nobody"], quick=quick)
        usage = found.get(NAME) if quick else found[NAME]
        if usage is None:  # it takes its time, and so tells nothing quickly
            continue
        assert usage.cpu_percent is not None
        assert usage.cpu_percent >= 0
        assert usage.memory_bytes is not None
        assert 0 < usage.memory_bytes < 1 << 30
    bench.engine.stop(NAME, 5)
    assert bench.engine.usages([NAME]) == {}


def test_many_instances_are_measured_together(bench: Bench) -> None:
    names = {started(bench, bench.spec(service, port=free_port())).container_name for service in ("web", "second")}
    assert bench.engine.usages(sorted(names)).keys() == names
    assert bench.engine.usages([]) == {}


def test_an_engine_says_what_it_is(bench: Bench) -> None:
    facts = bench.engine.facts()
    assert facts.name == bench.engine.describe()
    assert facts.local
    assert facts.free_bytes is None or facts.free_bytes > 0


def test_an_image_has_names_that_last_where_there_are_images(bench: Bench) -> None:
    made = bench.engine.create(bench.spec())
    now = bench.engine.inspect(made.container_name)
    assert now is not None
    if Ability.IMAGES in bench.engine.abilities:
        pins = bench.engine.pins(now.image_id or "")
        assert pins
        assert bench.engine.pins(pins[-1]) == bench.engine.pins(now.image or "") == pins
    assert bench.engine.newest("127.0.0.1:9/none/such:1") is None


def test_a_command_runs_where_an_instance_runs_and_its_failure_is_told(bench: Bench) -> None:
    started(bench, bench.spec())
    bench.engine.execute(NAME, ("sh", "-c", "exit 0"))
    with pytest.raises(NoMatchError):
        bench.engine.execute("llmstack-lab-gone", ("sh", "-c", "exit 0"))


def test_a_command_that_fails_is_an_error_with_what_it_said(bench: Bench) -> None:
    if isinstance(bench, FakeBench):
        bench.engine.refuse("execute", LlmstackError("sh ended with 3: it is broken"))
    started(bench, bench.spec(env={"WORD": "broken"}))
    with pytest.raises(LlmstackError, match="ended with 3: it is broken"):
        bench.engine.execute(NAME, ("sh", "-c", "echo it is $WORD >&2; exit 3"))
