"""Which runs a history is about."""

from __future__ import annotations

import json

import pytest

from llmstack.core.history import history, one_run
from llmstack.domain.event import Event, EventType
from llmstack.domain.outcome import Outcome, RunResult, Status
from llmstack.domain.selection import Selection
from llmstack.domain.target import Target
from llmstack.errors import NoMatchError
from llmstack.store.store import Store

DEMO, LLAMA3 = Target("demo", "localhost"), Target("llama3", "gpu01")


@pytest.fixture
def three(store: Store) -> Store:
    """Three runs: on both, on demo, on llama3."""
    for targets in ((DEMO, LLAMA3), (DEMO,), (LLAMA3,)):
        run_id = store.begin_run("up", "llmstack up")
        store.record(run_id, Event(1.0, EventType.START, "up", targets[0], "begun"))
        outcomes = tuple(Outcome(target=target, status=Status.CHANGED) for target in targets)
        store.end_run(run_id, RunResult(task="up", outcomes=outcomes))
    return store


def ids(store: Store, limit: int | None = 20, **picked: tuple[str, ...]) -> list[str]:
    return [run.id for run in history(store, Selection(**picked), limit=limit)]


def test_all_runs_or_those_that_worked_on_what_is_picked(three: Store) -> None:
    assert ids(three) == ["3", "2", "1"]
    assert ids(three, limit=2) == ["3", "2"]
    assert ids(three, models=("demo",)) == ["2", "1"]
    assert ids(three, limit=1, services=("llama3",)) == ["3"]
    assert ids(three, models=("llama3",), hosts=("gpu01",)) == ["3", "1"]


def test_a_name_that_no_run_worked_on_is_told_with_the_nearest(three: Store) -> None:
    with pytest.raises(NoMatchError, match=r"worked on lama3\. Did you mean 'llama3'\?"):
        ids(three, models=("lama3",))
    with pytest.raises(NoMatchError, match=r"worked on llama3@gpu02\. Did you mean 'llama3@gpu01'\?"):
        ids(three, models=("llama3",), hosts=("gpu02",))
    with pytest.raises(NoMatchError, match=r"worked on zzz\.$"):
        ids(three, models=("zzz",))


def test_an_empty_store_has_no_runs(store: Store) -> None:
    assert ids(store) == []
    with pytest.raises(NoMatchError) as caught:
        one_run(store, "1")
    assert caught.value.hint == "nothing was run so far"


def test_one_run_comes_with_its_events(three: Store) -> None:
    run = one_run(three, "2")
    assert [event.message for event in run.events or ()] == ["begun"]
    document = json.loads(json.dumps(run.as_json()))
    assert (document["id"], document["counts"], document["items"][0]["target"]) == (
        "2",
        {"changed": 1},
        "demo@localhost",
    )
    begun = {
        "ts": "1970-01-01T00:00:01.000Z",
        "type": "start",
        "target": "demo@localhost",
        "message": "begun",
        "data": {},
    }
    assert document["events"] == [begun]
    (listed,) = history(three, Selection(), limit=1)
    assert listed.as_json()["events"] is None


def test_a_run_that_is_not_known_is_told_with_those_that_are(three: Store) -> None:
    with pytest.raises(NoMatchError, match="no run '77' is remembered") as caught:
        one_run(three, "77")
    assert caught.value.hint == "runs 1 to 3 are: `llmstack history`"
