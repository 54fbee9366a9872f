"""Faults of locks, stores, hosts and people, over a whole stack in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmstack.domain.event import Event, EventType
from llmstack.domain.instance import State
from llmstack.domain.outcome import RunResult
from llmstack.domain.selection import Selection
from llmstack.errors import (
    LlmstackError,
    LockedError,
    StoreError,
    UnreachableError,
)
from tests.unit.core.stack import ALL, Bench, recap
from tests.unit.core.world import LOADING, statuses


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for app in bench.apps:
        app.close()


def test_a_lock_that_somebody_holds_refuses_with_7_and_changes_nothing(bench: Bench) -> None:
    with bench.world.engine().lock("lab", "somebody", 60):
        bench.forget()
        result = bench.app().up(Selection(models=("demo",)))
    assert result.exit_code == 7
    assert isinstance(result.outcomes[0].error, LockedError)
    assert [verb for verb, _ in bench.writes()] == ["lock"]


def test_a_lock_on_one_host_leaves_the_others_going_on(bench: Bench) -> None:
    bench.write("llmstack: 1\nstack: lab\nall: {hosts: {a: {}, b: {}}}\nservices: {x: {type: page, hosts: all}}\n")
    with bench.world.engine("a").lock("lab", "somebody", 60):
        result = bench.app().up(ALL)
    assert statuses(result.outcomes) == {"x@a": "failed", "x@b": "changed"}
    assert result.exit_code == 7


def test_what_runs_as_wanted_needs_no_lock(bench: Bench) -> None:
    bench.app().up(ALL)
    with bench.world.engine().lock("lab", "somebody", 60):
        assert bench.app().up(ALL).exit_code == 0


def test_a_host_whose_engine_cannot_be_is_an_outcome_and_the_others_go_on(bench: Bench) -> None:
    """In this stack the process engine is on localhost alone."""
    bench.write("""
        llmstack: 1
        stack: lab
        all: {hosts: {localhost: {}, far: {}}}
        services: {x: {type: page, hosts: localhost}, y: {type: page, engine: process, hosts: far}}
    """)
    here, app = Selection(hosts=("localhost",)), bench.app()
    for verb, change in (app.up, "changed"), (app.up, "ok"), (app.down, "changed"):
        result = verb(ALL)
        assert (statuses(result.outcomes), result.exit_code) == ({"x@localhost": change, "y@far": "failed"}, 3)
    for selection in here, Selection(exclude=("y",)):
        assert [verb(selection).exit_code for verb in (app.up, app.down)] == [0, 0]


def test_a_host_that_is_down_is_an_outcome_and_the_others_go_on(bench: Bench) -> None:
    bench.write("llmstack: 1\nstack: lab\nall: {hosts: {a: {}, b: {}}}\nservices: {x: {type: page, hosts: all}}\n")
    bench.world.engine("a").refuse("*", UnreachableError("no route"), times=None)
    result = bench.app().up(ALL)
    assert (statuses(result.outcomes), result.exit_code) == ({"x@a": "unreachable", "x@b": "changed"}, 4)


@pytest.mark.parametrize("verb", ["up", "down", "pull"])
def test_a_store_that_cannot_be_used_stops_a_run_before_anything_changes(bench: Bench, verb: str) -> None:
    bench.app().up(ALL)
    (bench.folder / "store.db").write_bytes(b"this is no database, but it is long enough" * 50)
    bench.world.server(11434).models.clear()
    bench.forget()
    with pytest.raises(StoreError):
        getattr(bench.app(), verb)(ALL)
    assert bench.writes() == []
    assert bench.world.server(11434).models == {}


def test_a_store_that_cannot_begin_a_run_stops_it_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    app = bench.app()
    full = StoreError("the disk is full")

    def begin_run(task: str, command: str) -> str:
        raise full

    monkeypatch.setattr(app.store, "begin_run", begin_run)
    with pytest.raises(StoreError):
        app.up(ALL)
    assert bench.writes() == []


def test_a_broken_store_takes_nothing_from_status_and_health(bench: Bench) -> None:
    bench.app().up(ALL)
    (bench.folder / "store.db").write_bytes(b"this is no database, but it is long enough" * 50)
    report = bench.app().status(ALL)
    assert {row.state for row in report.rows} == {State.READY}
    result = bench.app().health(ALL)
    assert (result.exit_code, result.run_id) == (0, None)
    warnings = [event.message for event in bench.world.ears.of(EventType.WARNING)]
    assert [text.split(":")[0] for text in warnings] == ["the store cannot be read", "not noted in the store"]


def test_what_was_done_stands_when_it_cannot_be_noted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    app = bench.app()

    def end_run(run_id: str, result: RunResult) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(app.store, "end_run", end_run)
    assert app.up(ALL).exit_code == 0
    (warning,) = bench.world.ears.of(EventType.WARNING)
    assert warning.message == "not noted in the store: the disk is full"


def test_events_that_the_store_does_not_take_are_still_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    app, tried = bench.app(), []

    def record(run_id: str, event: Event) -> None:
        tried.append(event)
        raise StoreError("the disk is full")

    monkeypatch.setattr(app.store, "record", record)
    assert app.up(Selection(models=("demo",))).exit_code == 0
    assert len(tried) == 1
    assert bench.world.ears.of(EventType.RESULT)


def test_a_notice_of_the_store_is_a_warning(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmstack.store.place.network_kind", lambda *_: "nfs4")
    bench.app().up(Selection(services=("page",)))
    assert "network file system" in bench.world.ears.of(EventType.WARNING)[0].message


def test_a_name_that_was_taken_in_between_means_one_more_look(bench: Bench) -> None:
    bench.write("llmstack: 1\nstack: lab\nservices: {x: {type: page}, y: {type: page, depends_on: [x], port: 81}}\n")
    engine = bench.world.engine()
    real = engine.create

    def taken(spec: Any) -> Any:
        engine.create = real  # type: ignore[method-assign]
        real(spec)
        engine.start(spec.name)
        return real(spec)

    engine.create = taken  # type: ignore[method-assign]
    result = bench.app().up(ALL)
    assert statuses(result.outcomes) == {"x@localhost": "ok", "y@localhost": "changed"}
    assert result.exit_code == 0


def test_a_name_that_is_taken_again_and_again_is_a_failure(bench: Bench) -> None:
    bench.write("llmstack: 1\nservices: {x: {type: page}}\n")
    bench.world.engine().refuse("create", LlmstackError("the name is taken", conflict=True), times=None)
    result = bench.app().up(ALL)
    assert (result.exit_code, len(result.outcomes)) == (1, 1)
    assert [verb for verb, _ in bench.writes()].count("create") == 2


def test_a_killed_replace_is_finished_by_the_next_up(bench: Bench) -> None:
    bench.write("llmstack: 1\nstack: lab\nservices: {x: {type: page, image: 'x:1'}}\n")
    bench.app().up(ALL)
    bench.world.engine().rename("llmstack-lab-x", "llmstack-lab-x.prev")
    bench.write("llmstack: 1\nstack: lab\nservices: {x: {type: page, image: 'x:2'}}\n")
    assert bench.app().status(ALL).rows[0].state is State.READY
    assert recap(bench.app().up(ALL)) == {"changed": 1}
    (there,) = bench.world.engine().instances.values()
    assert (there.container_name, there.image, there.running) == ("llmstack-lab-x", "x:2", True)
    assert [row.container_name for row in bench.app().store.models()] == ["llmstack-lab-x"]


def test_ctrl_c_takes_back_what_was_under_way(bench: Bench) -> None:
    app = bench.app()
    server = bench.world.server(8080)
    server.lives = [LOADING]
    contexts = []
    real = app.context

    def context(task: str, **more: Any) -> Any:
        contexts.append(real(task, **more))
        return contexts[-1]

    app.context = context  # type: ignore[method-assign]
    server.before = lambda _: contexts[-1].interrupted.set()
    result = app.up(Selection(models=("demo",)))
    assert (result.interrupted, result.exit_code) == (True, 130)
    assert bench.world.engine().instances == {}
    assert app.store.runs()[0].exit_code == 130


def test_the_time_out_of_a_run_is_124(bench: Bench) -> None:
    bench.world.server(8080).lives = [LOADING]
    result = bench.app(timeout_s=30.0).up(Selection(models=("demo",)))
    assert (result.exit_code, bench.world.engine().instances) == (124, {})
    assert 30_000 <= result.ms < 32_000


def test_one_service_with_a_missing_file_does_not_stop_the_others(bench: Bench) -> None:
    from llmstack.modeltype.registry import Registry

    bench.write(
        "llmstack: 1\nservices: {box: {type: container, image: 'b:1'}}\n"
        "models: {demo: {type: llamacpp, source: gone.gguf}}\n"
    )
    app = bench.app()
    app.registry = Registry()
    up = app.up(ALL)
    assert (statuses(up.outcomes), up.exit_code) == ({"box@localhost": "changed", "demo@localhost": "failed"}, 9)
    rows = {row.service: row for row in app.status(ALL).rows}
    assert "gone.gguf is not there" in rows["demo"].detail
    assert rows["box"].state is State.READY
    assert app.down(ALL).exit_code == 0
    assert bench.world.engine().instances == {}
