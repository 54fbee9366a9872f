"""What the store remembers of models."""

from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.domain.instance import Instance, State
from llmstack.domain.stored import StoredModel
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import UsageError

BOX = "llmstack-lab-ollama"
OLLAMA = Instance(
    id="1f",
    container_name=BOX,
    service="ollama",
    host="gpu01",
    engine="docker",
    state=State.READY,
    stack="lab",
    running=True,
    port=11434,
)
DEMO = StoredModel(name="demo", host="localhost", container_name="llmstack-lab-demo", state=State.READY, port=8080)


def states(store):
    return {model.name: model.state for model in store.models()}


def test_a_seen_instance_has_a_row_for_each_of_its_models(store):
    store.seen(OLLAMA, ["llama3", "mistral"], "0.12.6", "http://127.0.0.1:11434")
    first, second = store.models()
    assert first == StoredModel(
        name="llama3",
        host="gpu01",
        container_name=BOX,
        state=State.READY,
        service="ollama",
        stack="lab",
        engine="docker",
        port=11434,
        url="http://127.0.0.1:11434",
        installed_version="0.12.6",
        container_id="1f",
        last_updated=1000.0,
        created_at=1000.0,
    )
    assert replace(second, name="llama3") == first
    assert store.active_models() == (first, second)


def test_seeing_the_same_again_changes_nothing(store, clock):
    store.seen(OLLAMA, ["llama3"], "0.12.6")
    before = store.models()
    clock.now = 2000.0
    store.seen(OLLAMA, ["llama3"])
    assert store.models() == before


def test_last_updated_moves_with_the_first_difference_and_created_at_never(store, clock):
    store.seen(OLLAMA, ["llama3"])
    clock.now = 2000.0
    store.seen(replace(OLLAMA, port=11435), ["llama3"])
    (model,) = store.models()
    assert (model.port, model.created_at, model.last_updated) == (11435, 1000.0, 2000.0)


def test_a_restart_in_between_is_a_change(store, clock):
    store.seen(replace(OLLAMA, started_at=900.0), ["llama3"])
    clock.now = 2000.0
    store.seen(replace(OLLAMA, started_at=1500.0), ["llama3"])
    clock.now = 3000.0
    store.seen(replace(OLLAMA, started_at=1500.0), ["llama3"])
    assert [model.last_updated for model in store.models()] == [2000.0]


def test_what_an_instance_does_not_tell_stays_as_it_was_known(store):
    store.seen(OLLAMA, ["llama3"], "0.12.6", "http://127.0.0.1:11434")
    store.seen(replace(OLLAMA, state=State.STOPPED, port=None), ["llama3"])
    (model,) = store.models()
    assert (model.port, model.url, model.installed_version) == (11434, "http://127.0.0.1:11434", "0.12.6")


@pytest.mark.parametrize(
    ("state", "status", "on_purpose"),
    [
        (State.READY, "active", None),
        (State.DEGRADED, "active", None),
        (State.STARTING, "inactive", None),
        (State.LOADING, "inactive", None),
        (State.STOPPED, "inactive", True),
        (State.CRASHED, "inactive", False),
    ],
)
def test_status_and_purpose_follow_from_the_state(store, state, status, on_purpose):
    store.seen(replace(OLLAMA, state=state), ["llama3"])
    (model,) = store.models()
    assert (model.state, model.status, model.stopped_on_purpose) == (state, status, on_purpose)
    assert [found.name for found in store.active_models()] == (["llama3"] if status == "active" else [])


def test_an_instance_that_ended_takes_all_its_models_with_it(store):
    store.seen(OLLAMA, ["llama3", "mistral"])
    store.seen(replace(OLLAMA, host="gpu02"), ["llama3"])
    store.seen(replace(OLLAMA, state=State.CRASHED, running=False), ["llama3"])
    assert [(model.host, model.name, model.status) for model in store.models()] == [
        ("gpu01", "llama3", "inactive"),
        ("gpu01", "mistral", "inactive"),
        ("gpu02", "llama3", "active"),
    ]


def test_an_instance_that_runs_leaves_models_alone_that_were_not_asked_about(store):
    store.seen(OLLAMA, ["llama3", "mistral"])
    store.seen(OLLAMA, ["llama3"])
    store.seen(replace(OLLAMA, state=State.LOADING), ["llama3"])
    assert states(store) == {"llama3": State.LOADING, "mistral": State.READY}


def test_an_instance_that_is_gone_leaves_inactive_rows(store):
    store.seen(OLLAMA, ["llama3", "mistral"])
    store.seen(replace(OLLAMA, host="gpu02"), ["llama3"])
    store.gone(Target("ollama", "gpu01"), BOX)
    assert [(model.host, model.state) for model in store.models()] == [
        ("gpu01", State.ABSENT),
        ("gpu01", State.ABSENT),
        ("gpu02", State.READY),
    ]


def test_a_model_that_is_gone_leaves_its_neighbours(store):
    store.seen(OLLAMA, ["llama3", "mistral"])
    store.gone(Target("mistral", "gpu01", TargetKind.MODEL), BOX)
    assert states(store) == {"llama3": State.READY, "mistral": State.ABSENT}


def test_that_it_was_stopped_on_purpose_outlives_its_removal(store):
    store.seen(replace(OLLAMA, state=State.STOPPED), ["llama3"])
    store.gone(OLLAMA.target, BOX)
    store.gone(OLLAMA.target, BOX)
    assert [model.stopped_on_purpose for model in store.models()] == [True]


def test_what_somebody_else_removed_did_not_go_on_purpose_though_it_was_stopped(store):
    store.seen(replace(OLLAMA, state=State.STOPPED), ["llama3"])
    store.gone(OLLAMA.target, BOX, on_purpose=False)
    assert [model.stopped_on_purpose for model in store.models()] == [None]
    store.gone(OLLAMA.target, BOX, on_purpose=True)
    store.gone(OLLAMA.target, BOX, on_purpose=False)
    assert [model.stopped_on_purpose for model in store.models()] == [True]


def test_nobody_knows_how_an_active_one_vanished(store):
    store.seen(OLLAMA, ["llama3"])
    store.gone(OLLAMA.target, BOX)
    assert [model.stopped_on_purpose for model in store.models()] == [None]


def test_a_model_is_created_read_overwritten_and_deleted(store, clock):
    assert store.model("localhost", "llmstack-lab-demo", "demo") is None
    created = store.upsert_model(DEMO)
    assert created == replace(DEMO, created_at=1000.0, last_updated=1000.0)
    clock.now = 2000.0
    changed = store.upsert_model(replace(created, state=State.CRASHED, port=None, stopped_on_purpose=False))
    assert (changed.created_at, changed.last_updated, changed.port) == (1000.0, 2000.0, None)
    assert store.model("localhost", "llmstack-lab-demo", "demo") == changed
    assert store.delete_model("localhost", "llmstack-lab-demo", "demo")
    assert not store.delete_model("localhost", "llmstack-lab-demo", "demo")
    assert store.models() == ()


def test_overwriting_with_the_same_is_no_update(store, clock):
    created = store.upsert_model(DEMO)
    clock.now = 2000.0
    assert store.upsert_model(created) == created


def test_names_with_quotes_and_patterns_are_only_names(store):
    odd = replace(DEMO, name="'; DROP TABLE models; --", host="%", container_name="*")
    store.upsert_model(odd)
    store.upsert_model(DEMO)
    assert store.model("%", "*", odd.name).name == odd.name
    assert store.set_status("*", "inactive") == 1
    assert len(store.active_models()) == 1


def test_status_is_set_by_container_on_one_host_or_on_all(store):
    store.seen(OLLAMA, ["llama3", "mistral"])
    store.seen(replace(OLLAMA, host="gpu02"), ["llama3"])
    assert store.set_status(BOX, "inactive", host="gpu02") == 1
    assert [model.status for model in store.models()] == ["active", "active", "inactive"]
    assert store.set_status(BOX, "inactive") == 3
    assert states(store) == {"llama3": State.STOPPED, "mistral": State.STOPPED}
    assert store.set_status(BOX, "active") == 3
    assert len(store.active_models()) == 3


def test_a_status_that_holds_already_keeps_the_finer_state(store):
    store.seen(replace(OLLAMA, state=State.DEGRADED), ["llama3"])
    assert store.set_status(BOX, "active") == 1
    assert states(store) == {"llama3": State.DEGRADED}


def test_another_word_for_a_status_is_refused(store):
    store.upsert_model(DEMO)
    with pytest.raises(UsageError, match="no status 'on'") as caught:
        store.set_status(DEMO.container_name, "on")
    assert caught.value.hint == "it is 'active' or 'inactive'"
    assert len(store.active_models()) == 1


def test_a_version_is_noted_by_container(store, clock):
    store.seen(OLLAMA, ["llama3"], "0.12.3")
    store.seen(replace(OLLAMA, host="gpu02"), ["llama3"], "0.12.3")
    clock.now = 2000.0
    assert store.set_version(BOX, "0.12.6", host="gpu01") == 1
    assert [(m.installed_version, m.last_updated) for m in store.models()] == [("0.12.6", 2000.0), ("0.12.3", 1000.0)]
    assert store.set_version(BOX, None) == 2
    assert [model.installed_version for model in store.models()] == [None, None]


def test_a_container_that_is_not_known_counts_none(store):
    assert (store.set_status("nobody", "active"), store.set_version("nobody", "1")) == (0, 0)


def test_a_version_that_no_database_can_hold_is_kept_as_far_as_it_can(store):
    store.seen(OLLAMA, ["llama3"], "\ud800" + "9" * 5000)
    (model,) = store.models()
    assert model.installed_version == "?" + "9" * 3999


def test_a_stored_model_says_itself_as_json(store):
    record = store.upsert_model(DEMO).as_json()
    assert (record["name"], record["status"], record["state"], record["installed_version"]) == (
        "demo",
        "active",
        "ready",
        None,
    )
