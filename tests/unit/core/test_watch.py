"""The store kept true while things happen, over engines in memory; every stream and look is a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from llmstack.app import App
from llmstack.domain.event import Event, EventType
from llmstack.domain.happening import What
from llmstack.domain.instance import Instance, State
from llmstack.domain.report import Difference, Fate
from llmstack.domain.target import Target
from llmstack.errors import DeadlineError, LlmstackError, StoreError, UnreachableError
from llmstack.store import open_store
from llmstack.testing import FakeClock
from tests.desk import until
from tests.unit.core.stack import ALL, Bench
from tests.unit.core.world import LOADING, READY

DEMO = "llmstack-lab-demo"
TEXT = """
llmstack: 1
stack: lab
models:
  demo: {type: loader, port: 8080, restart: "no"}
"""


class Watched:
    """A stack that runs, and what is heard of it."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.app, self.heard = bench, bench.app(), list[Event]()
        self.ended: list[BaseException] = []
        bench.app().up(ALL)
        self.world, self.engine = bench.world, bench.world.engine()
        self.thread = Thread(target=self._listen, daemon=True)
        self.thread.start()
        until(lambda: ("events", "") in self.engine.calls)

    def _listen(self) -> None:
        try:
            for event in self.app.watch():
                self.heard.append(event)
        except (LlmstackError, KeyboardInterrupt) as error:
            self.ended.append(error)

    def next(self) -> Event:
        """The next thing that is heard."""
        until(lambda: self.heard)
        return self.heard.pop(0)

    def change(self) -> tuple[str, Fate | None, str]:
        event = self.next()
        told = event.data["difference"]
        assert isinstance(told, Difference)
        assert event.type is EventType.CHANGE
        return str(told.target), told.reason, told.action


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    bench = Bench(tmp_path)
    bench.write(TEXT)
    one = Watched(bench)
    yield one
    one.world.clock.advance(1e6)
    for app in bench.apps:
        app.close()


def status(app: App) -> dict[str, str]:
    with open_store(app.settings.store, {}) as store:
        return {row.name: row.status for row in store.models()}


def test_what_happens_is_told_and_noted_with_its_reason(watched: Watched) -> None:
    watched.engine.crash(DEMO, 7)
    assert watched.change() == ("demo@localhost", Fate.DIED, "recorded inactive")
    assert status(watched.app) == {"demo": "inactive"}
    watched.engine.start(DEMO)
    assert watched.change() == ("demo@localhost", Fate.RUNS, "recorded active")
    watched.engine.stop(DEMO, 0)
    assert watched.change() == ("demo@localhost", Fate.STOPPED, "recorded inactive")
    assert watched.heard == []


def test_a_good_end_that_nobody_asked_for_is_no_stop_neither_now_nor_later(watched: Watched) -> None:
    watched.engine.crash(DEMO, 0)
    assert watched.change()[1] is Fate.DIED
    report = watched.bench.app().status(ALL)
    assert (report.rows[0].reason, report.rows[0].detail[:9]) == (Fate.DIED, "exited 0 ")


def test_a_first_guess_is_corrected_by_what_is_heard_later(watched: Watched) -> None:
    there = watched.engine.instances[DEMO]
    ended = replace(there, state=State.CRASHED, running=False, exit_code=137, finished_at=watched.world.clock.now())
    watched.engine.instances[DEMO] = ended
    watched.engine.tell(DEMO)
    assert watched.change()[1:] == (Fate.DIED, "recorded inactive")
    watched.engine.tell(DEMO, What.STOPPED)
    watched.engine.tell(DEMO, What.DIED)
    assert watched.change()[1:] == (Fate.STOPPED, "recorded")


def test_memory_that_ran_out_is_told_where_the_engine_s_flag_is_silent(watched: Watched) -> None:
    watched.engine.tell(DEMO, What.OUT_OF_MEMORY)
    assert watched.change()[1] is Fate.STARVED
    watched.engine.crash(DEMO, 137)
    assert watched.change()[1] is Fate.OUT_OF_MEMORY


def test_what_a_run_of_ours_does_is_not_laid_at_somebody_else_s_door(watched: Watched) -> None:
    store = watched.bench.app().store
    run_id = store.begin_run("down", "")
    store.record(run_id, Event(1.0, EventType.START, "down", Target("demo", "localhost")))
    watched.engine.stop(DEMO, 0)
    assert watched.change()[1] is Fate.STOPPED
    watched.engine.remove(DEMO)
    event = watched.next()
    assert event.message == f"removed by run {run_id} (down)"


def test_status_too_lays_what_a_run_of_ours_does_at_nobody_else_s_door(watched: Watched) -> None:
    store = watched.bench.app().store
    run_id = store.begin_run("down", "")
    store.record(run_id, Event(1.0, EventType.START, "down", Target("demo", "localhost")))
    watched.engine.instances.clear()
    seen_first = watched.bench.app().status(ALL).rows[0]  # before a watcher
    watched.engine.tell(DEMO, What.REMOVED)
    assert watched.next().message == f"removed by run {run_id} (down)"
    seen_noted = watched.bench.app().status(ALL).rows[0]  # after it, and before the run has noted its own
    for row in (seen_first, seen_noted):
        assert (row.reason, row.detail) == (Fate.STOPPED, f"removed by run {run_id} (down)")


def test_what_was_gone_before_a_run_began_is_not_the_run_s(watched: Watched) -> None:
    watched.engine.stop(DEMO, 0)
    watched.engine.remove(DEMO)
    until(lambda: watched.heard and watched.heard[-1].message == "not there any more: removed by somebody else")
    store = watched.bench.app().store
    store.record(store.begin_run("up", ""), Event(1.0, EventType.START, "up", Target("demo", "localhost")))
    assert watched.bench.app().status(ALL).rows[0].reason is Fate.REMOVED


def test_a_run_on_two_hosts_is_known_on_each_before_it_changes_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path)
    bench.write("""
        llmstack: 1
        stack: lab
        all: {hosts: {near: {}, far: {}}}
        models:
          first: {type: loader, port: 8080, hosts: [near]}
          last: {type: loader, port: 8081, hosts: [far]}
    """)
    bench.app().up(ALL)
    engine, told = bench.world.engine("near"), list[str]()
    real = engine.stop_and_remove

    def stop_and_remove(there: Instance, timeout_s: float) -> None:
        real(there, timeout_s)
        assert bench.world.engine("far").instances == {}  # which the run has told of by now
        told.extend(row.detail for row in bench.app().status(ALL).rows)

    monkeypatch.setattr(engine, "stop_and_remove", stop_and_remove)
    run_id = bench.app(forks=1).down(ALL).run_id
    assert told[0] == f"removed by run {run_id} (down)"
    for app in bench.apps:
        app.close()


def test_what_is_done_right_after_the_first_table_is_shown(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(TEXT)
    bench.world.clock = FakeClock(1.0)
    bench.app().up(ALL)
    app = bench.app(timeout_s=1e5)
    changes = app.changes(ALL)
    next(changes)
    bench.app().down(ALL)
    next(changes)
    assert app.status(ALL).rows[0].reason is Fate.STOPPED
    changes.close()  # type: ignore[attr-defined]
    for one in bench.apps:
        one.close()


def test_what_a_run_of_ours_has_noted_already_is_told_as_its_own(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(TEXT)
    bench.world.clock = FakeClock(1.0)  # every run is of just now
    watched = Watched(bench)
    result = bench.app().down(ALL)
    watched.engine.tell(DEMO, What.REMOVED)
    until(lambda: watched.heard and watched.heard[-1].message.endswith(f"by run {result.run_id} (down)"))
    assert [event.message for event in watched.heard if "somebody" in event.message] == []
    watched.world.clock.advance(1e6)
    for app in bench.apps:
        app.close()


def test_what_somebody_killed_and_removed_is_removed_with_a_watcher_too(watched: Watched) -> None:
    watched.engine.stop(DEMO, 0)
    watched.engine.remove(DEMO)
    until(lambda: watched.heard and watched.heard[-1].message == "not there any more: removed by somebody else")
    assert watched.bench.app().status(ALL).rows[0].reason is Fate.REMOVED
    watched.bench.app().up(ALL)
    watched.bench.app().down(ALL)
    assert watched.bench.app().status(ALL).rows[0].reason is Fate.STOPPED


def test_a_restart_by_hand_is_told_as_one(watched: Watched) -> None:
    watched.engine.stop(DEMO, 0)
    watched.world.clock.advance(1)
    watched.engine.start(DEMO)
    until(lambda: watched.heard and watched.heard[-1].data["difference"].reason is Fate.STARTED)


def test_a_restart_by_the_engine_is_told_as_one_though_its_end_was_seen(watched: Watched) -> None:
    there = watched.engine.instances[DEMO]
    watched.engine.instances[DEMO] = replace(there, state=State.CRASHED, running=False, exit_code=137, restarts=1)
    watched.engine.tell(DEMO)
    assert watched.change()[1] is Fate.DIED
    watched.engine.instances[DEMO] = replace(there, started_at=watched.world.clock.now() + 1, restarts=1)
    watched.engine.tell(DEMO, What.STARTED)
    assert watched.change()[1] is Fate.RESTARTED


def test_where_more_may_have_happened_everything_is_looked_at(watched: Watched) -> None:
    del watched.engine.instances[DEMO]
    watched.engine.tell(None)
    assert watched.change() == ("demo@localhost", Fate.REMOVED, "recorded inactive")


def test_everything_is_looked_at_from_time_to_time_whatever_was_told(watched: Watched) -> None:
    del watched.engine.instances[DEMO]
    watched.world.clock.advance(61)
    assert watched.change()[1] is Fate.REMOVED


def test_a_server_that_loads_is_looked_at_until_it_is_ready(watched: Watched) -> None:
    watched.world.server(8080).lives = [LOADING, LOADING, READY]
    watched.engine.stop(DEMO, 0)
    watched.engine.start(DEMO)
    until(lambda: watched.heard and watched.heard[-1].message.startswith("running since"))
    assert status(watched.app) == {"demo": "active"}


def test_what_is_not_ours_is_not_looked_at(watched: Watched) -> None:
    watched.engine.calls.clear()
    watched.engine.tell("somebody-elses")
    watched.engine.tell(DEMO)
    until(lambda: ("inspect", DEMO) in watched.engine.calls)
    assert {name for _, name in watched.engine.calls} == {"lab", DEMO}


def test_an_engine_that_goes_away_is_told_once_and_so_is_its_return(watched: Watched) -> None:
    watched.engine.refuse("observe", UnreachableError("docker is away"), times=None)
    watched.engine.tell(None)
    watched.engine.tell(None)
    event = watched.next()
    assert (event.type, event.message) == (EventType.WARNING, "docker is away")
    watched.engine.allow("observe")
    watched.engine.tell(None)
    assert watched.next().message == "localhost can be asked again"
    assert watched.heard == []


def test_a_place_that_can_have_no_engine_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("""
        llmstack: 1
        stack: lab
        all: {hosts: {far: {}}}
        services: {page: {type: page, engine: process, port: 3000}}
    """)
    app = bench.app()
    events = app.watch()
    assert "this machine only" in next(events).message
    events.close()  # type: ignore[attr-defined]
    app.close()


def test_a_store_that_fails_ends_it(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise StoreError("there is no room left for the store")

    monkeypatch.setattr(watched.app.store, "record", fail)
    watched.engine.crash(DEMO, 7)
    watched.thread.join(30)
    assert [type(error) for error in watched.ended] == [StoreError]


def test_it_ends_with_its_deadline_and_takes_its_threads_along(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write(TEXT)
    app, before = bench.app(timeout_s=5.0), set(threading.enumerate())
    events = app.watch()
    bench.world.clock.advance(6)
    with pytest.raises(DeadlineError):
        list(events)
    assert [one.name for one in threading.enumerate() if one not in before and one.name.startswith("look")] == []
    app.close()
