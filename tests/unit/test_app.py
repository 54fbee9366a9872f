"""The verbs, end to end: a real inventory and store over engines and servers in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmstack.app import App
from llmstack.domain.clock import SystemClock
from llmstack.domain.event import EventType
from llmstack.domain.instance import Need, State
from llmstack.domain.outcome import RunResult, Status
from llmstack.domain.report import Fate
from llmstack.domain.selection import RunOptions, Selection, Settings
from llmstack.domain.server import ChatChunk, ServedModel
from llmstack.domain.usage import Usage
from llmstack.errors import (
    ConfigError,
    DeadlineError,
    InventoryError,
    NoInventoryError,
    NoMatchError,
    UnreachableError,
)
from tests.unit.core.stack import ALL, Bench, recap
from tests.unit.core.world import statuses


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for app in bench.apps:
        app.close()


def test_up_makes_all_of_it_true_and_up_again_changes_nothing(bench: Bench) -> None:
    first = bench.app().up(ALL)
    assert statuses(first.outcomes) == dict.fromkeys(
        ("ollama@localhost", "llama3@localhost", "page@localhost", "demo@localhost"), "changed"
    )
    assert first.exit_code == 0
    bench.forget()
    second = bench.app().up(ALL)
    assert recap(second) == {"ok": 4}
    assert bench.writes() == []


def test_an_up_that_changes_nothing_still_tidies_up_after_a_run_that_died(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.forget()
    engine = bench.world.engine()
    engine.litter = True
    bench.app().up(ALL, RunOptions(check=True))
    assert engine.litter
    assert recap(bench.app().up(ALL)) == {"ok": 4}
    assert not engine.litter
    assert bench.writes() == [("lock", "lab")]


def test_the_store_is_not_needed_for_a_right_plan(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.forget()
    result = bench.app(store=str(bench.folder / "another.db")).up(ALL, RunOptions(check=True))
    assert {outcome.status for outcome in result.outcomes} == {Status.OK}
    assert not (bench.folder / "another.db").exists()
    assert bench.writes() == []


def test_a_check_writes_nothing_and_needs_no_lock_and_no_store(bench: Bench) -> None:
    with bench.world.engine().lock("lab", "somebody", 60):
        bench.forget()
        result = bench.app(store="/proc/no/store.db").up(ALL, RunOptions(check=True))
    assert {outcome.status for outcome in result.outcomes} == {Status.WOULD_CHANGE}
    assert bench.writes() == []
    (event,) = bench.world.ears.of(EventType.PLAN)
    assert len(event.data["plan"].actions) == 4  # type: ignore[attr-defined]


def test_down_leaves_nothing_and_down_again_is_fine(bench: Bench) -> None:
    bench.app().up(ALL)
    result = bench.app().down(ALL)
    assert recap(result) == {"changed": 3}
    assert bench.world.engine().instances == {}
    assert recap(bench.app().down(ALL)) == {"ok": 3}
    assert {row.state for row in bench.app().store.models()} == {State.ABSENT}


def test_down_of_everything_checks_first_what_it_would_do(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.forget()
    assert recap(bench.app().down(ALL, RunOptions(check=True))) == {"would_change": 3}
    assert bench.writes() == []


def test_pull_starts_nothing(bench: Bench) -> None:
    bench.app().up(Selection(services=("ollama",)))
    bench.world.server(11434).models.clear()
    bench.forget()
    bench.world.engine().lack("demo", Need(kind="image", name="image:1"))
    result = bench.app().pull(Selection(models=("llama3", "demo")))
    assert statuses(result.outcomes) == {"llama3@localhost": "changed", "demo@localhost": "changed"}
    assert [verb for verb, _ in bench.writes()] == ["lock", "fetch"]
    assert statuses(bench.app().pull(Selection(models=("demo",))).outcomes) == {"demo@localhost": "ok"}


def test_a_picked_model_brings_what_it_depends_on(bench: Bench) -> None:
    result = bench.app().up(Selection(services=("page",)))
    assert list(statuses(result.outcomes)) == ["ollama@localhost", "page@localhost"]


def test_an_unknown_name_changes_nothing(bench: Bench) -> None:
    with pytest.raises(NoMatchError, match="Did you mean 'llama3'"):
        bench.app().up(Selection(models=("lama3",)))
    assert bench.world.engines == {}


def test_a_run_is_remembered_with_its_outcomes(bench: Bench) -> None:
    app = bench.app(command="llmstack up --model demo")
    result = app.up(Selection(models=("demo",)))
    (run,) = app.store.runs()
    assert (run.id, run.task, run.command, run.exit_code) == (result.run_id, "up", "llmstack up --model demo", 0)
    assert run.items[0]["target"] == "demo@localhost"
    kept = [event.type.value for event in app.store.events(run.id)]
    assert kept == ["start", *["rung"] * 7, "result"]
    assert app.history() == (run,)
    assert app.history(Selection(models=("demo",)), limit=1) == (run,)
    (whole,) = app.history(run_id=run.id)
    assert whole.events == app.store.events(run.id)
    (row,) = app.store.models()
    assert (row.name, row.status, row.port, row.stack) == ("demo", "active", 8080, "lab")


def test_a_moved_service_leaves_no_twin_on_its_old_engine(bench: Bench) -> None:
    only = "llmstack: 1\nstack: lab\nmodels: {{demo: {{type: loader, engine: {}}}}}\n"
    bench.write(only.format("process"))
    bench.app().up(ALL)
    bench.write(only.format("docker"))
    result = bench.app().up(ALL)
    assert recap(result) == {"changed": 1}
    assert bench.world.engine(kind="process").instances == {}
    assert bench.world.engine().instances["llmstack-lab-demo"].running


def test_an_engine_that_is_not_there_is_no_place_where_a_service_could_have_been(bench: Bench) -> None:
    bench.write("llmstack: 1\nstack: lab\nmodels: {demo: {type: loader, engine: process}}\n")
    bench.world.engine().refuse("observe", UnreachableError("docker is not running"), times=None)
    assert recap(bench.app().up(ALL)) == {"changed": 1}


def test_orphans_are_removed_when_asked_for_on_every_host(bench: Bench) -> None:
    bench.write(
        "llmstack: 1\nstack: lab\nall: {hosts: {localhost: {}, far: {}}}\n"
        "services: {a: {type: page, hosts: localhost}, b: {type: page, hosts: far}}\n"
    )
    bench.app().up(ALL)
    bench.write(
        "llmstack: 1\nstack: lab\nall: {hosts: {localhost: {}, far: {}}}\n"
        "services: {a: {type: page, hosts: localhost}}\n"
    )
    assert recap(bench.app().down(Selection(services=("a",)), RunOptions(check=True))) == {"would_change": 1}
    result = bench.app().down(Selection(services=("a",)), RunOptions(orphans=True))
    assert statuses(result.outcomes) == {"a@localhost": "changed", "b@far": "changed"}
    assert bench.world.engine("far").instances == {}


def test_orphans_of_a_host_that_cannot_be_asked_are_a_warning(bench: Bench) -> None:
    bench.write("llmstack: 1\nall: {hosts: {localhost: {}, far: {}}}\nservices: {a: {type: page, hosts: localhost}}\n")
    bench.world.engine("far").refuse("observe", UnreachableError("no route"), times=None)
    assert bench.app().down(ALL, RunOptions(orphans=True)).exit_code == 0
    assert [event.message for event in bench.world.ears.of(EventType.WARNING)] == ["far was not asked: no route"]


def test_health_proves_and_changes_nothing(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.world.server(11434).models["llama3"] = ServedModel(name="llama3", size_bytes=1, loaded=False)
    bench.forget()
    app = bench.app()
    result = app.health(ALL)
    assert recap(result) == {"ok": 4}
    assert bench.writes() == [("execute", "llmstack-lab-page")], "its link is tried from inside"
    assert result.run_id is not None
    assert app.store.run(result.run_id).task == "health"  # type: ignore[union-attr]
    assert app.health(ALL, before=result).run_id is None, "nothing new to note"
    bench.world.engine().stop("llmstack-lab-page", 0)
    assert app.health(ALL, before=result).run_id is not None
    llama3 = next(outcome for outcome in result.outcomes if outcome.target.name == "llama3")
    assert llama3.ladder is not None
    assert llama3.ladder.rungs[-1].detail == "on demand"
    assert app.health(Selection(models=("llama3",)), deep=True).exit_code == 0
    assert "chat llama3" in bench.world.server(11434).calls


def test_what_is_off_for_good_is_skipped_and_told_where_and_how_to_have_it_again(bench: Bench) -> None:
    bench.write("""
        llmstack: 1
        stack: lab
        services:
          ollama: {type: lazy, port: 11434}
          page: {type: page, enabled: false}
        models:
          demo: {type: loader, port: auto, enabled: false}
          llama3: {service: ollama, enabled: false}
    """)
    bench.app().up(Selection(services=("ollama",)))
    app = bench.app()
    for result in (app.health(ALL), app.wait(ALL)):
        told = {str(out.target): out.reason for out in result.outcomes if out.status is Status.SKIPPED}
        assert list(told) == ["llama3@localhost", "page@localhost", "demo@localhost"]
        assert all("inventory.yaml:" in reason for reason in told.values())
        assert told["llama3@localhost"].endswith("remove that, then: llmstack up --model llama3")
        assert told["page@localhost"].endswith("remove that, then: llmstack up --service page")
        assert (recap(result), result.exit_code) == ({"ok": 1, "skipped": 3}, 0)


def test_health_of_a_crash_is_6_sync_tells_it_and_up_repairs_it(bench: Bench) -> None:
    bench.write("llmstack: 1\nstack: lab\nmodels: {demo: {type: loader, restart: 'no'}}\n")
    bench.app().up(ALL)
    bench.world.engine().crash("llmstack-lab-demo", 137)
    health = bench.app().health(ALL)
    assert health.exit_code == 6
    assert health.outcomes[0].reason == "running: crashed, exit 137"
    (difference,) = bench.app().sync().differences
    assert (difference.store, difference.action) == ("active", "recorded inactive")
    assert bench.app().store.models()[0].state is State.CRASHED
    assert recap(bench.app().up(ALL)) == {"changed": 1}
    assert bench.app().health(ALL).exit_code == 0


def test_a_start_that_failed_and_was_stopped_again_says_so_afterwards(bench: Bench) -> None:
    demo = Selection(models=("demo",))
    bench.world.server(8080).chunks = (ChatChunk(done=True, tokens=0),)
    assert bench.app().up(demo).exit_code == 6
    (row,) = bench.app().status(demo).rows
    assert (row.state, row.reason, row.detail[:33]) == (State.CRASHED, Fate.FAILED, "its last start failed: answered: ")
    (difference,) = bench.app().sync(demo, check=True).differences
    assert (difference.reason, difference.engine) == (Fate.WANTED, f"wanted, {row.detail}")
    assert bench.app().why(demo).inquiries[0].row.reason is Fate.FAILED
    bench.world.engine().start("llmstack-lab-demo")
    bench.world.clock.advance(1)
    bench.world.engine().stop("llmstack-lab-demo", 0)
    assert bench.app().status(demo).rows[0].reason is Fate.STOPPED


def test_sync_finds_out_by_itself_and_repairs_the_store_alone(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.world.engine().stop("llmstack-lab-demo", 1)
    bench.forget()
    report = bench.app().sync(check=True)
    assert [str(one.target) for one in report.differences] == ["demo@localhost"]
    assert bench.app().sync().changed == 1
    assert bench.app().sync().differences == ()
    assert bench.writes() == []


def test_status_shows_orphans_unless_something_was_picked(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.write("llmstack: 1\nstack: lab\nservices: {ollama: {type: lazy, port: 11434}}\n")
    rows = bench.app().status(ALL).rows
    assert [(row.service, row.wanted) for row in rows] == [("ollama", True), ("demo", False), ("page", False)]
    assert len(bench.app().status(Selection(services=("ollama",))).rows) == 1


def test_status_tells_what_each_that_runs_uses(bench: Bench) -> None:
    bench.app().up(ALL)
    engine = bench.world.engine()
    engine.stop("llmstack-lab-page", 1.0)
    engine.measured["llmstack-lab-ollama"] = Usage(cpu_percent=3.0, memory_bytes=5, memory_limit_bytes=9)
    engine.measured["llmstack-lab-demo"] = Usage()
    rows = {str(row.target): row for row in bench.app().status(ALL).rows}
    told = {name: (row.cpu_percent, row.memory_bytes, row.memory_limit_bytes) for name, row in rows.items()}
    nothing = (None, None, None)
    assert told == {"llama3@localhost": (3.0, 5, 9), "demo@localhost": nothing, "page@localhost": nothing}


def test_figures_that_cannot_be_had_take_nothing_from_a_status(bench: Bench) -> None:
    bench.app().up(ALL)
    bench.world.engine().refuse("usages", UnreachableError("cut"), times=None)
    report = bench.app().status(ALL)
    assert ({row.cpu_percent for row in report.rows}, report.errors) == ({None}, ())


def test_status_names_its_inventory(bench: Bench) -> None:
    assert bench.app().status(ALL).inventory == bench.inventory


def test_logs_and_questions_reach_what_is_picked(bench: Bench) -> None:
    bench.app().up(Selection(models=("demo",)))
    bench.world.engine().say("llmstack-lab-demo", "hello")
    lines = list(bench.app().logs(Selection(models=("demo",)), tail=5))
    assert [line for _, line in lines] == ["hello"]
    chunks = bench.app().ask(Selection(models=("demo",)), "why?")
    assert "".join(chunk.text for chunk in chunks) == "42"


def test_without_an_inventory_status_still_shows_what_serves_models_here(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.app().up(Selection(models=("demo",)))
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    report = bench.app(inventory=None).status(ALL)
    assert ([row.service for row in report.rows], report.inventory) == (["demo"], None)
    with pytest.raises(NoInventoryError):
        bench.app(inventory=None).up(ALL)
    with pytest.raises(ConfigError):
        bench.app(inventory="gone.yaml").status(ALL)


def test_a_wrong_inventory_stops_every_verb(bench: Bench) -> None:
    bench.write("llmstack: 1\nservices: {x: {type: nosuch}}\n")
    for verb in ("up", "down", "pull", "health", "status"):
        with pytest.raises(InventoryError):
            getattr(bench.app(), verb)(ALL)
    assert bench.world.engines == {}


def test_two_ups_at_the_same_moment_make_one_instance(bench: Bench) -> None:
    bench.write("llmstack: 1\nstack: lab\nservices: {x: {type: page}}\n")
    gate = threading.Barrier(2, timeout=10)
    results: list[RunResult] = []

    def run() -> None:
        app = bench.app()
        app.clock = SystemClock()
        real = app.context

        def context(task: str, **more: Any) -> Any:
            gate.wait()
            return real(task, **more)

        app.context = context  # type: ignore[method-assign]
        results.append(app.up(ALL))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(bench.world.engine().instances) == 1
    assert {result.exit_code for result in results} <= {0, 7}
    assert 0 in {result.exit_code for result in results}


def test_closing_lets_go_of_engines_and_store(bench: Bench) -> None:
    app = bench.app()
    app.up(ALL)
    app.close()
    assert app.engines.closed  # type: ignore[attr-defined]
    App(Settings(), bench.world.ears).close()


def test_a_sync_of_one_model_judges_nobody_else(bench: Bench) -> None:
    bench.app().up(ALL)
    for engine in (bench.world.engine(), bench.world.engine(kind="process")):
        engine.instances.clear()
    one = bench.app().sync(Selection(models=("demo",)))
    assert [str(difference.target) for difference in one.differences] == ["demo@localhost"]
    rest = bench.app().sync()
    assert sorted(str(difference.target) for difference in rest.differences) == ["llama3@localhost", "page@localhost"]


def test_looks_that_go_on_have_the_time_of_one_run_together(bench: Bench) -> None:
    app = bench.app(timeout_s=12.0)
    ends = (app.context("health").deadline for _ in app.turns(rest_s=5.0))
    assert [next(ends) for _ in range(3)] == [12.0] * 3
    with pytest.raises(DeadlineError):
        next(ends)
    assert bench.world.clock.monotonic() == 12.0


def test_a_turn_has_its_rest_or_its_rhythm(bench: Bench) -> None:
    clock = bench.world.clock
    for given, rests in (({"every_s": 1.0}, [0.75, 0.0]), ({"rest_s": 5.0}, [5.0, 5.0])):
        turns = bench.app().turns(**given)
        clock.slept.clear()
        for spent_s in (0.25, 2.0):
            next(turns)
            clock.advance(spent_s)
        next(turns)
        assert clock.slept == rests


def test_the_device_that_wait_and_why_find_is_the_one_that_status_tells(bench: Bench) -> None:
    demo = Selection(models=("demo",))
    for look in ("wait", "why"):
        bench.app().up(demo, RunOptions(wait=False))
        assert bench.app().status(demo).rows[0].device == "unknown"
        getattr(bench.app(), look)(demo)
        assert bench.app().status(demo).rows[0].device == "cpu"
        bench.app().down(demo)
