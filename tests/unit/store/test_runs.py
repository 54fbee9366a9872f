"""What the store remembers of runs, events and health."""

from __future__ import annotations

import json
import math
import socket
from enum import IntEnum
from pathlib import Path

import pytest

from llmstack.domain.event import Event, EventType
from llmstack.domain.ladder import Answer, Ladder, Rung, RungResult, Why
from llmstack.domain.outcome import Outcome, RunResult, Status
from llmstack.domain.secret import Sealed, Secret
from llmstack.domain.stored import StoredRun
from llmstack.domain.target import Target, TargetKind
from llmstack.domain.who import Who, who
from llmstack.errors import UnhealthyError
from llmstack.store import place
from llmstack.store import store as store_module

DEMO = Target("demo", "localhost")


def event(message="hello", **data):
    return Event(5.0, EventType.RESULT, "up", DEMO, message, data)


def kept(store, **data):
    run_id = store.begin_run("up", "")
    store.record(run_id, event(**data))
    return store.events(run_id)[0].data


def test_a_run_that_has_begun_tells_who_began_it_and_has_no_end_yet(store):
    run_id = store.begin_run("up", "invoke up --model demo")
    assert store.run(run_id) == StoredRun(
        id=run_id, task="up", command="invoke up --model demo", started_at=1000.0, user="ann", controller="laptop"
    )


def test_a_run_is_at_work_where_it_has_told_so_until_it_is_over(store, clock):
    run_id = store.begin_run("down", "")
    assert store.at_work("localhost", 0.0) is None
    store.record(run_id, event())
    assert (store.at_work("localhost", 0.0).id, store.at_work("gpu01", 0.0)) == (run_id, None)
    store.end_run(run_id, RunResult(task="down"))
    assert (store.at_work("localhost", 999.0).id, store.at_work("localhost", 1000.0)) == (run_id, None)


def test_who_only_looked_was_not_at_work(store):
    store.end_run(store.begin_run("health", ""), RunResult(task="health"))
    assert store.at_work("localhost", 0.0) is None


def test_a_user_without_a_name_is_unknown(monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)
    assert who() == Who(None, socket.gethostname())
    assert str(Who(None, "box")) == "-@box"


def test_a_run_that_ended_keeps_each_outcome(store, clock):
    run_id = store.begin_run("up", "invoke up")
    clock.now = 1003.0
    error = UnhealthyError("demo answers nothing", "look at its log")
    failed = Outcome(target=DEMO, status=Status.UNHEALTHY, error=error, reason="no answer")
    store.end_run(run_id, RunResult(task="up", outcomes=(failed,), ms=3000.0))
    run = store.run(run_id)
    assert (run.started_at, run.ended_at, run.ms, run.exit_code) == (1000.0, 1003.0, 3000.0, 6)
    assert run.items == (json.loads(json.dumps(failed.as_json())),)


def test_runs_come_newest_first_and_no_more_than_asked(store):
    ids = [store.begin_run(task, "") for task in ("up", "health", "down")]
    assert [run.id for run in store.runs(2)] == [ids[2], ids[1]]


def ended(store, task, *targets, status=Status.CHANGED):
    run_id = store.begin_run(task, "")
    outcomes = tuple(Outcome(target=target, status=status) for target in targets)
    store.end_run(run_id, RunResult(task=task, outcomes=outcomes))
    return run_id


LLAMA3 = Target("llama3", "gpu01", TargetKind.MODEL)


def test_the_runs_of_a_name_hold_only_what_they_did_with_it(store):
    both, _, other = ended(store, "up", DEMO, LLAMA3), ended(store, "down", DEMO), ended(store, "up", LLAMA3)
    found = store.runs(names=["llama3"])
    assert [(run.id, [item["target"] for item in run.items]) for run in found] == [
        (other, ["llama3@gpu01"]),
        (both, ["llama3@gpu01"]),
    ]
    assert [run.id for run in store.runs(1, ["llama3", "demo"])] == [other]
    assert [run.id for run in store.runs(names=["demo@localhost", "llama3@gpu02"])] == ["2", "1"]
    assert store.runs(names=["dem", "DEMO"]) == ()
    assert [len(run.items) for run in store.runs()] == [1, 1, 2]


def test_a_run_without_an_end_tells_how_far_it_came(store):
    run_id = store.begin_run("up", "")
    done = Outcome(target=DEMO, status=Status.CHANGED, reason="not there")
    store.record(run_id, Event(1.0, EventType.START, "up", DEMO))
    store.record(run_id, Event(2.0, EventType.RESULT, "up", DEMO, "", {"outcome": done}))
    store.record(run_id, Event(3.0, EventType.RUNG, "up", LLAMA3, "", {"rung": LADDER.rungs[0]}))
    store.record(run_id, Event(4.0, EventType.WARNING, "up"))
    run = store.run(run_id)
    assert run.ended_at is None
    assert run.items == (
        json.loads(json.dumps(done.as_json())),
        {"target": "llama3@gpu01", "name": "llama3", "kind": "model", "host": "gpu01", "status": None},
    )
    assert [run.id for run in store.runs(names=["llama3"])] == [run_id]


@pytest.mark.parametrize("run_id", ["77", "", "x", "-1", "1.0"])
def test_a_run_that_is_not_known_is_none(store, run_id):
    assert (store.run(run_id), store.events(run_id)) == (None, ())


def test_events_come_back_in_order_with_their_targets(store):
    run_id, other = store.begin_run("up", ""), store.begin_run("up", "")
    told = [
        Event(3.0, EventType.START, "up", DEMO, "starting", {"port": 8080}),
        Event(2.0, EventType.WARNING, "up", None, "old driver"),
        Event(4.0, EventType.RESULT, "up", Target("llama3", "gpu01", TargetKind.MODEL), "ok", {"changed": False}),
    ]
    for one in told:
        store.record(run_id, one)
    store.record(other, told[0])
    assert store.events(run_id) == tuple(told)


def test_an_event_outside_a_run_is_kept_too(store, path):
    store.record(None, event())
    assert b"hello" in path.read_bytes() + Path(f"{path}-wal").read_bytes()


def test_progress_is_not_kept(store):
    run_id = store.begin_run("pull", "")
    store.record(run_id, Event(1.0, EventType.PROGRESS, "pull", DEMO, "10 %"))
    assert store.events(run_id) == ()


def test_a_domain_value_in_an_event_is_kept_as_it_says_itself(store):
    rung = RungResult(rung=Rung.API, ok=True, ms=12.34)
    assert kept(store, rung=rung)["rung"] == {"rung": "api", "ok": True, "ms": 12.3, "detail": ""}


def test_no_secret_is_ever_kept_however_deep_it_lies(store, path):
    secret = Secret("env:TOKEN", lambda: "hunter2-in-clear")
    sealed = Sealed("salt:hmac-of-it")
    data = kept(store, one=secret, deep={"list": [1, secret, {"sealed": sealed}], "ok": "yes"}, pair=(secret, 2))
    assert data == {"deep": {"list": [1, {}], "ok": "yes"}, "pair": [2]}
    store.close()
    held = path.read_bytes()
    assert b"hunter2" not in held
    assert b"env:TOKEN" not in held
    assert b"hmac-of-it" not in held


class Level(IntEnum):
    HIGH = 3


def test_only_plain_values_are_kept(store):
    data = kept(
        store,
        level=Level.HIGH,
        status=Status.OK,
        nan=math.nan,
        size=2**80,
        none=None,
        where=Path("etc"),
        call=print,
        raw=b"1",
        long="x" * 9000,
    )
    assert data == {"level": 3, "status": "ok", "nan": None, "size": 2**80, "none": None, "long": "x" * 4000}
    assert type(data["level"]) is int


def test_text_that_is_no_utf8_does_not_stop_a_run(store):
    run_id = store.begin_run("up", "invoke up --model \udcff")
    store.record(run_id, event("log: \udcfe"))
    assert store.run(run_id).command == "invoke up --model ?"
    assert store.events(run_id)[0].message == "log: ?"


ANSWERED = Answer(text="", first_token_ms=38.0, tokens=24, tokens_per_s=118.2, clock="server")
LADDER = Ladder(
    target=DEMO,
    rungs=(
        RungResult(rung=Rung.RUNNING, ok=True, ms=100.0),
        RungResult(rung=Rung.ANSWERED, ok=True, ms=400.0, answer=ANSWERED),
        RungResult(rung=Rung.DEVICE, ok=None, ms=2.0, detail="unknown"),
    ),
)


def test_the_last_climb_of_a_target_comes_back_whole(store, clock):
    store.climbed(Ladder(target=DEMO, rungs=(RungResult(rung=Rung.CREATED, ok=True, ms=0.0),)), "llmstack-lab-demo")
    clock.now = 2000.0
    store.climbed(LADDER, "llmstack-lab-demo")
    store.climbed(Ladder(target=Target("demo", "gpu01"), rungs=LADDER.rungs[:1]), "llmstack-lab-demo")
    last = store.last_ladder(DEMO)
    assert (last.ladder, last.container_name, last.at) == (LADDER, "llmstack-lab-demo", 2000.0)


def climb(store, created_ms, answered_ms, spec=None, target=DEMO):
    rungs = (RungResult(rung=Rung.CREATED, ok=True, ms=created_ms), *LADDER.rungs[:1])
    rungs += (RungResult(rung=Rung.ANSWERED, ok=True, ms=answered_ms),)
    store.climbed(Ladder(target=target, rungs=rungs), "box", started_spec=spec)


def test_a_start_takes_from_before_the_start_to_the_answer(store):
    climb(store, 20.0, 400.0, spec="ab12")
    assert store.start_s(DEMO, "ab12") == pytest.approx(0.48)


def test_the_last_start_of_the_same_spec_is_the_measure_else_that_of_any(store):
    climb(store, 0.0, 1000.0, spec="ab12")
    climb(store, 0.0, 2000.0, spec="ab12")
    climb(store, 0.0, 3000.0, spec="cd34")
    climb(store, 0.0, 9000.0)
    climb(store, 0.0, 8000.0, spec="ab12", target=Target("demo", "gpu01"))
    climb(store, 0.0, 7000.0, spec="ab12", target=Target("demo", "localhost", TargetKind.MODEL))
    found = [store.start_s(DEMO, digest) for digest in ("ab12", "cd34", "ef56")]
    assert found == pytest.approx([2.1, 3.1, 3.1])


def test_what_was_never_started_has_no_measure(store):
    climb(store, 0.0, 1.0)
    assert store.start_s(DEMO, "ab12") is None
    assert Ladder(target=DEMO, rungs=LADDER.rungs).start_s is None


def test_a_device_that_was_looked_at_after_the_answer_counts_the_time_from_the_beginning():
    rungs = (RungResult(rung=Rung.CREATED, ok=True, ms=100.0), *LADDER.rungs[:2])
    slow = RungResult(rung=Rung.DEVICE, ok=None, ms=600.0)
    assert Ladder(target=DEMO, rungs=(*rungs, slow)).start_s == pytest.approx(0.5)


def test_why_a_climb_failed_is_kept(store):
    why = Why(summary="no memory", do="free some", log_line=212, exit_code=1, out_of_memory=False, restarts=0)
    failed = Ladder(target=DEMO, rungs=(RungResult(rung=Rung.PORT, ok=False, ms=41000.0),), why=why)
    store.climbed(failed, "llmstack-lab-demo")
    assert store.last_ladder(DEMO).ladder == failed


def test_the_text_of_an_answer_is_not_kept(store, path):
    told = RungResult(rung=Rung.ANSWERED, ok=True, ms=1.0, answer=Answer(text="The sky is blue because"))
    store.climbed(Ladder(target=DEMO, rungs=(told,)), "box")
    assert store.last_ladder(DEMO).ladder.rungs[0].answer == Answer(text="")
    store.close()
    assert b"The sky" not in path.read_bytes()


def test_a_target_that_never_climbed_has_no_ladder(store):
    store.climbed(Ladder(target=DEMO), "box")
    assert store.last_ladder(DEMO) is None


def test_a_model_and_a_service_of_one_name_are_two_targets(store):
    store.climbed(LADDER, "box")
    assert store.last_ladder(Target("demo", "localhost", TargetKind.MODEL)) is None


def test_old_runs_go_with_their_events_and_the_health_of_their_time(store, clock, monkeypatch):
    monkeypatch.setattr(store_module, "KEPT_RUNS", 3)
    ids = []
    for number in range(5):
        clock.now = 1000.0 + number
        ids.append(store.begin_run("up", ""))
        store.record(ids[-1], event(number=number))
        store.record(None, Event(clock.now, EventType.WARNING, "up"))
        store.climbed(Ladder(target=Target(f"m{number}", "localhost"), rungs=LADDER.rungs), "box")
    assert [run.id for run in store.runs()] == ids[:1:-1]
    assert [len(store.events(run_id)) for run_id in ids] == [0, 0, 1, 1, 1]
    found = [store.last_ladder(Target(f"m{number}", "localhost")) for number in range(5)]
    assert [ladder is not None for ladder in found] == [False, False, True, True, True]


def test_the_id_of_a_forgotten_run_is_not_used_again(store, monkeypatch):
    monkeypatch.setattr(store_module, "KEPT_RUNS", 1)
    assert len({store.begin_run("up", "") for _ in range(4)}) == 4


def test_a_run_does_not_begin_where_it_could_not_be_noted(store, monkeypatch):
    from llmstack.errors import StoreError

    monkeypatch.setattr(place, "MIN_FREE_BYTES", 2**80)
    with pytest.raises(StoreError, match="no room left for the store") as caught:
        store.begin_run("up", "")
    assert "LLMSTACK_STORE" in caught.value.hint
    assert store.runs() == ()
