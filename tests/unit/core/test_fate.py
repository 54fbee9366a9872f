"""Why an instance is as it is: every reason that is told apart, from what its engine says and what is remembered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from llmstack.core.fate import judged, reason, since_start
from llmstack.domain.happening import What
from llmstack.domain.instance import PAUSED, Instance, State
from llmstack.domain.ladder import Ladder, Rung, RungResult
from llmstack.domain.report import Fate
from llmstack.domain.service import EXTERNAL
from llmstack.domain.stored import StoredLadder, StoredModel
from llmstack.domain.target import Target

NOW = 1_000_000.0
RUNS = Instance(
    id="a",
    container_name="c",
    service="demo",
    host="h",
    engine="docker",
    state=State.STARTING,
    running=True,
    started_at=NOW - 500,
    restarts=0,
)
ENDED = replace(RUNS, state=State.CRASHED, running=False, finished_at=NOW - 60, exit_code=1)
KNOWN = StoredModel(
    name="demo",
    host="h",
    container_name="c",
    state=State.READY,
    container_id="a",
    started_at=NOW - 500,
    restarts=0,
    last_updated=NOW - 120,
)


def told(there: Instance | None, known: StoredModel | None = KNOWN) -> tuple[Fate, str]:
    why = reason(there, known, NOW)
    assert why is not None
    return why.fate, why.text


@pytest.mark.parametrize(
    ("facts", "fate", "text"),
    [
        ({}, Fate.DIED, "exited 1 at "),
        ({"exit_code": 137, "out_of_memory": True}, Fate.OUT_OF_MEMORY, "exited 137 (out of memory) at "),
        ({"out_of_memory": True}, Fate.STARVED, "exited 1 (a process in it ran out of memory) at "),
        ({"state": State.STOPPED, "exit_code": 0}, Fate.STOPPED, "stopped on purpose at "),
        ({"state": State.STOPPED, "exit_code": None, "finished_at": None}, Fate.STOPPED, "stopped"),
        ({"exit_code": None, "error": "no such program"}, Fate.DIED, "no such program"),
        ({"state": State.STOPPED, "exit_code": None, "error": PAUSED}, Fate.PAUSED, "paused"),
        ({"restarts": 4}, Fate.CRASH_LOOP, "crash loop: exited 1 at "),
    ],
)
def test_ends_are_told_apart(facts: dict[str, Any], fate: Fate, text: str) -> None:
    found = told(replace(ENDED, **facts))
    assert found[0] is fate
    assert found[1].startswith(text)


def test_a_good_end_in_which_a_process_starved_says_so() -> None:
    there = replace(ENDED, state=State.STOPPED, exit_code=0, out_of_memory=True)
    assert told(there)[1].endswith(", a process in it ran out of memory")


def test_restarts_are_counted_since_it_was_last_seen_well() -> None:
    there = replace(ENDED, exit_code=137, out_of_memory=True, restarts=4)
    assert told(there)[1].endswith(", 4 restarts in 2 min")
    assert told(there, replace(KNOWN, restarts=3))[1].endswith(", 1 restart in 2 min")
    assert told(there, replace(KNOWN, restarts=9))[1].endswith(", 4 restarts in 2 min")
    assert told(there, None)[1].endswith(", 4 restarts in all")
    assert told(there, replace(KNOWN, state=State.CRASHED))[1].endswith(", 4 restarts in all")
    assert told(there, replace(KNOWN, last_updated=NOW - 30_000))[1].endswith(", 4 restarts in 8 h")


def test_what_runs_is_told_by_who_brought_it_back() -> None:
    assert told(RUNS)[0] is Fate.RUNS
    again = replace(RUNS, started_at=NOW - 10)
    assert told(again) == (
        Fate.STARTED,
        told(again, None)[1].replace("running", "started again") + ", by somebody else or with its engine",
    )
    assert told(replace(again, restarts=1))[0] is Fate.RESTARTED
    assert told(replace(again, restarts=1, out_of_memory=True))[1].endswith(", it had run out of memory")
    assert told(replace(again, restarts=3))[0] is Fate.CRASH_LOOP
    assert told(replace(again, restarts=3), replace(KNOWN, last_updated=NOW - 5000))[0] is Fate.RESTARTED
    for state in (State.STOPPED, State.CRASHED):
        assert told(again, replace(KNOWN, state=state))[0] is Fate.STARTED
        assert told(replace(again, restarts=1), replace(KNOWN, state=state, restarts=1))[0] is Fate.RESTARTED
    assert told(again, replace(KNOWN, state=State.ABSENT))[0] is Fate.RUNS
    assert told(replace(RUNS, out_of_memory=True))[0] is Fate.STARVED


def test_another_one_of_the_same_name_is_no_restart() -> None:
    assert told(replace(RUNS, id="b"))[0] is Fate.REPLACED
    assert told(replace(ENDED, id="b")) == (
        Fate.REPLACED,
        "replaced by somebody else: another one of that name is there now",
    )
    assert told(replace(RUNS, id="b"), replace(KNOWN, state=State.ABSENT))[0] is Fate.RUNS
    assert told(replace(RUNS, id="b"), replace(KNOWN, container_id=None))[0] is Fate.RUNS
    assert told(replace(RUNS, id="b", engine=EXTERNAL))[0] is Fate.RUNS


def test_a_start_that_failed_and_was_stopped_by_us_is_no_stop_on_purpose() -> None:
    there = replace(ENDED, state=State.STOPPED, exit_code=143)
    known = replace(KNOWN, state=State.STOPPED, ended_at=ENDED.finished_at)
    rungs = tuple(
        RungResult(rung=rung, ok=ok, ms=1, detail=text)
        for rung, ok, text in [(Rung.API, True, ""), (Rung.CHECKED, False, "x")]
    )

    def fate(there: Instance, known: StoredModel, at: float = NOW - 100, *, ok: bool = False) -> Fate:
        ladder = Ladder(target=Target("demo", "h"), rungs=rungs[:1] if ok else rungs)
        why = reason(there, known, NOW, climb=StoredLadder(ladder=ladder, container_name="c", at=at))
        assert why is not None
        over = "stopped again" if there.state is State.STOPPED else "it ended"
        assert (why.fate is Fate.FAILED) == why.text.startswith(f"its last start failed: checked: x; {over} at ")
        return why.fate

    assert fate(there, known) is Fate.FAILED
    assert fate(there, known, ok=True) is Fate.STOPPED
    assert fate(there, known, at=NOW - 130) is Fate.STOPPED
    assert fate(replace(there, finished_at=NOW - 1), known) is Fate.STOPPED
    assert fate(replace(ENDED, restarts=5), known) is Fate.FAILED
    assert fate(replace(ENDED, restarts=5, finished_at=NOW - 1), known) is Fate.CRASH_LOOP


def test_what_is_gone_went_on_purpose_or_by_somebody_else() -> None:
    assert told(None) == (Fate.REMOVED, "not there any more: removed by somebody else")
    assert told(None, replace(KNOWN, state=State.STOPPED, stopped_on_purpose=True))[0] is Fate.REMOVED
    down = replace(KNOWN, state=State.ABSENT, stopped_on_purpose=True)
    assert told(None, down)[0] is Fate.STOPPED
    taken = reason(None, down, NOW, taken=replace(RUNS, id="b"))
    assert taken
    assert taken.fate is Fate.REPLACED
    assert reason(None, None, NOW) is None


def test_what_was_heard_decides_whether_an_end_was_asked_for() -> None:
    asked, died = (What.STOPPED, What.DIED), (What.DIED,)
    assert judged(replace(ENDED, exit_code=137), None, asked).state is State.STOPPED
    assert judged(replace(ENDED, state=State.STOPPED, exit_code=0), None, died).state is State.CRASHED
    assert judged(ENDED, None, (What.STOPPED,)).state is State.CRASHED
    assert judged(RUNS, None, asked) == RUNS
    assert judged(RUNS, None, (What.OUT_OF_MEMORY,)).out_of_memory is True


def test_what_was_heard_once_is_remembered_of_that_very_end_alone() -> None:
    known = replace(KNOWN, state=State.STOPPED, stopped_on_purpose=True, ended_at=ENDED.finished_at)
    assert judged(ENDED, known).state is State.STOPPED
    assert judged(replace(ENDED, finished_at=NOW - 1), known).state is State.CRASHED
    assert judged(replace(ENDED, id="b"), known).state is State.CRASHED


def test_what_was_told_counts_since_the_last_start() -> None:
    heard = since_start((), (What.STARTED, What.STOPPED, What.DIED, What.STOPPED))
    assert heard == (What.STOPPED, What.DIED)
    assert since_start(heard, (What.STARTED, What.DIED)) == (What.DIED,)
    assert since_start((), (What.OUT_OF_MEMORY, What.DIED, What.STARTED)) == (What.OUT_OF_MEMORY,)
    assert since_start((What.OUT_OF_MEMORY,), (What.CREATED,)) == ()
