"""The life of an instance, the same on every engine: in memory, as process, as container."""

from __future__ import annotations

import urllib.error
from dataclasses import replace

import pytest

from llmstack.domain.instance import State
from llmstack.errors import LlmstackError, NoMatchError
from tests.contract.benches import NAME, Bench, seen, started
from tests.desk import free_port, until


def test_nothing_is_there_at_first(bench: Bench) -> None:
    assert bench.engine.observe("contract") == ()
    assert bench.engine.observe(None) == ()
    assert bench.engine.inspect(NAME) is None
    bench.engine.remove(NAME)


def test_verbs_on_an_unknown_name_say_that_it_is_not_there(bench: Bench) -> None:
    engine = bench.engine
    verbs = (
        lambda: engine.start(NAME),
        lambda: engine.stop(NAME, 1),
        lambda: engine.rename(NAME, "other"),
        lambda: list(engine.logs(NAME)),
        lambda: engine.pids(NAME),
    )
    for verb in verbs:
        with pytest.raises(NoMatchError, match=NAME):
            verb()


def test_it_says_what_it_is(bench: Bench) -> None:
    kind = "fake" if not bench.real else bench.engine.kind
    assert bench.engine.describe().split()[0] in (kind, "podman")


def test_what_is_created_does_not_run_yet(bench: Bench) -> None:
    made = bench.engine.create(bench.spec())
    assert (made.state, made.running, made.container_name, made.service) == (State.STOPPED, False, NAME, "web")
    assert (made.stack, made.host, made.port) == ("contract", "localhost", bench.spec().port)
    assert bench.engine.observe("contract") == (seen(bench),)
    assert bench.engine.pids(NAME) == ()


def test_what_is_started_runs_and_answers_at_its_endpoint(bench: Bench) -> None:
    instance = started(bench, bench.spec())
    assert (instance.state, instance.running) == (State.STARTING, True)
    assert until(lambda: bench.get(instance)) == "hello, nobody"
    assert [each.running for each in bench.engine.observe("contract")] == [True]


def test_starting_what_runs_changes_nothing(bench: Bench) -> None:
    before = started(bench, bench.spec())
    bench.engine.start(NAME)
    assert seen(bench) == before


def test_stop_returns_when_it_is_gone_and_its_port_is_free(bench: Bench) -> None:
    instance = started(bench, bench.spec())
    until(lambda: bench.get(instance))
    bench.engine.stop(NAME, 10)
    with pytest.raises((ConnectionRefusedError, urllib.error.URLError)):
        bench.get(instance)
    bench.engine.check_port(replace(bench.spec(), service="other"))
    after = seen(bench)
    assert (after.state, after.running, after.restarts) == (State.STOPPED, False, 0)


def test_what_is_stopped_and_removed_at_once_is_gone_with_its_port(bench: Bench) -> None:
    instance = started(bench, bench.spec())
    until(lambda: bench.get(instance))
    bench.engine.stop_and_remove(instance, 10)
    assert bench.engine.observe("contract") == ()
    bench.engine.check_port(replace(bench.spec(), service="other"))
    with pytest.raises(NoMatchError, match=NAME):
        bench.engine.stop_and_remove(instance, 1)


def test_stopping_what_is_stopped_changes_nothing(bench: Bench) -> None:
    bench.engine.create(bench.spec())
    bench.engine.stop(NAME, 1)
    assert seen(bench).state is State.STOPPED


def test_what_does_not_listen_to_a_stop_is_killed_and_counts_as_stopped(bench: Bench) -> None:
    instance = started(bench, bench.spec(does="deaf"))
    until(lambda: bench.get(instance))
    bench.engine.stop(NAME, 1)
    assert (seen(bench).state, seen(bench).running) == (State.STOPPED, False)


def test_what_was_stopped_starts_again(bench: Bench) -> None:
    instance = started(bench, bench.spec())
    bench.engine.stop(NAME, 10)
    bench.engine.start(NAME)
    assert until(lambda: bench.get(instance))


def test_remove_leaves_nothing_and_may_be_repeated(bench: Bench) -> None:
    started(bench, bench.spec())
    bench.engine.stop(NAME, 10)
    bench.engine.remove(NAME)
    bench.engine.remove(NAME)
    assert bench.engine.observe(None) == ()


def test_what_runs_is_not_removed(bench: Bench) -> None:
    instance = started(bench, bench.spec())
    with pytest.raises(LlmstackError, match=NAME):
        bench.engine.remove(NAME)
    assert until(lambda: bench.get(instance))


def test_a_name_is_given_once(bench: Bench) -> None:
    bench.engine.create(bench.spec())
    with pytest.raises(LlmstackError, match=NAME) as raised:
        bench.engine.create(bench.spec())
    assert raised.value.data["conflict"] is True


def test_a_running_instance_can_be_renamed_and_its_name_used_again(bench: Bench) -> None:
    before = started(bench, bench.spec())
    bench.engine.rename(NAME, f"{NAME}.prev")
    assert bench.engine.inspect(NAME) is None
    after = seen(bench, f"{NAME}.prev")
    assert (after.id, after.running, after.service) == (before.id, True, "web")
    bench.engine.create(replace(bench.spec(), port=free_port()))
    assert {each.container_name for each in bench.engine.observe("contract")} == {NAME, f"{NAME}.prev"}
    assert until(lambda: bench.get(after))


def test_a_rename_does_not_take_another_ones_name(bench: Bench) -> None:
    bench.engine.create(bench.spec())
    bench.engine.create(bench.spec("second"))
    with pytest.raises(LlmstackError) as raised:
        bench.engine.rename("llmstack-contract-second", NAME)
    assert raised.value.data["conflict"] is True
