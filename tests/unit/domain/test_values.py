"""What values say of themselves."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import pytest

from llmstack.domain.instance import InstanceSpec, Mount, State, Weights
from llmstack.domain.ladder import Answer, Ladder, Rung, RungResult, Why
from llmstack.domain.outcome import Outcome, RunResult, Status, failed
from llmstack.domain.plan import Action, ActionKind, FieldChange, Plan
from llmstack.domain.position import Position, Problem
from llmstack.domain.secret import Secret, seal
from llmstack.domain.selection import Selection
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import LlmstackError, PreflightError, ServerError, UnhealthyError, UnreachableError

DEMO, QWEN = Target("demo", "localhost"), Target("qwen", "gpu02")


def spec(**values):
    return InstanceSpec(stack="lab", service="demo", host="localhost", type="llamacpp", engine="process", **values)


def test_a_target_is_written_name_at_host():
    assert str(DEMO) == "demo@localhost"


def test_a_model_and_a_service_of_one_name_are_two_targets():
    assert Target("demo", "localhost", TargetKind.MODEL) != DEMO


def test_a_secret_never_shows_its_value():
    secret = Secret("env:TOKEN", lambda: "hunter2")
    assert secret.reveal() == "hunter2"
    assert repr(secret) == str(secret) == f"{secret}" == "Secret(reference='env:TOKEN')"


def test_a_seal_matches_its_value_alone_and_differs_each_time():
    one, other = seal("hunter2"), seal("hunter2")
    assert one != other
    assert one.matches("hunter2")
    assert other.matches("hunter2")
    assert not one.matches("")
    assert "hunter2" not in repr(one)


def test_the_same_salt_gives_the_same_seal():
    assert seal("hunter2", "salt") == seal("hunter2", "salt")
    assert seal("hunter2", "salt") != seal("hunter2", "pepper")


def test_only_ready_and_degraded_are_active():
    assert [state for state in State if state.active] == [State.READY, State.DEGRADED]


def test_an_instance_is_called_by_stack_and_service():
    assert (spec().name, spec().target) == ("llmstack-lab-demo", DEMO)


def test_the_port_in_force_is_the_wanted_one_or_the_decided_one():
    assert spec().host_port is None
    assert spec(port=8080).host_port == 8080
    assert spec(port="auto").host_port is None
    assert spec(port="auto").with_decided(port="8081").host_port == 8081
    assert spec(port=8080, decided={"port": "8081"}).host_port == 8080


def test_deciding_more_keeps_what_was_decided():
    decided = spec(port="auto").with_decided(port="8081").with_decided(memory="1 GiB")
    assert decided.decided == {"port": "8081", "memory": "1 GiB"}


def test_words_are_filled_in_where_they_stand():
    command, env = spec(command=("--port={port}", "{listen}:{port}", "{other}"), env={"A": "{port}{port}"}).settled(
        port="1", listen="::"
    )
    assert command == ("--port=1", ":::1", "{other}")
    assert env == {"A": "11"}


def test_weights_lie_under_their_fingerprint():
    weights = Weights(source="file:x", path="/a/b/model.gguf", fingerprint="ab12", size_bytes=1)
    assert weights.volume_path == "ab12/model.gguf"


def rung(rung=Rung.API, ok=True, **values):
    return RungResult(rung=rung, ok=ok, ms=1.26, **values)


def test_a_ladder_holds_when_no_rung_failed():
    assert Ladder(target=DEMO).ok
    assert Ladder(target=DEMO, rungs=(rung(), rung(Rung.DEVICE, None))).ok
    assert not Ladder(target=DEMO, rungs=(rung(), rung(Rung.LOADED, False))).ok
    assert not Ladder(target=DEMO, rungs=(rung(),), why=Why(summary="gone")).ok


def test_a_ladder_finds_its_rungs():
    ladder = Ladder(target=DEMO, rungs=(rung(),))
    assert ladder.find(Rung.API) is ladder.rungs[0]
    assert ladder.find(Rung.ANSWERED) is None


def test_a_rung_says_the_figures_of_its_answer_but_not_its_text():
    answer = Answer(text="blue", first_token_ms=38.0, tokens=3, tokens_per_s=118.0)
    assert rung().as_json() == {"rung": "api", "ok": True, "ms": 1.3, "detail": ""}
    assert rung(Rung.ANSWERED, answer=answer).as_json() == {
        "rung": "answered",
        "ok": True,
        "ms": 1.3,
        "detail": "",
        "first_token_ms": 38.0,
        "tokens": 3,
        "tokens_per_s": 118.0,
        "clock": "client",
    }


def outcome(target=DEMO, status=Status.OK, error=None):
    return Outcome(target=target, status=status, error=error)


def test_a_recap_counts_each_target_once_on_its_host():
    outcomes = (outcome(), outcome(status=Status.CHANGED), outcome(QWEN, Status.FAILED), outcome())
    recap = RunResult(task="up", outcomes=outcomes).recap()
    assert recap == {"localhost": {Status.OK: 2, Status.CHANGED: 1}, "gpu02": {Status.FAILED: 1}}


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([], 0),
        ([None, None], 0),
        ([UnhealthyError("a")], 6),
        ([UnhealthyError("a"), None, ServerError("b", kind="cut")], 6),
        ([UnhealthyError("a"), PreflightError("b")], 1),
        ([LlmstackError("a"), LlmstackError("b")], 1),
    ],
)
def test_a_run_has_one_code_for_all_its_failures(errors, code):
    assert RunResult(task="up", outcomes=tuple(outcome(error=error) for error in errors)).exit_code == code


def test_an_interrupted_run_says_so_whatever_failed():
    assert RunResult(task="up", outcomes=(outcome(error=UnhealthyError("a")),), interrupted=True).exit_code == 130


def test_a_run_is_one_document():
    failed = outcome(QWEN, Status.UNHEALTHY, UnhealthyError("qwen died", "look at its log"))
    document = RunResult(task="up", outcomes=(outcome(), failed), ms=12.34, run_id="7").as_json()
    assert {key: document[key] for key in ("v", "kind", "task", "run", "rc", "ms")} == {
        "v": 1,
        "kind": "run",
        "task": "up",
        "run": "7",
        "rc": 6,
        "ms": 12.3,
    }
    assert [item["target"] for item in document["items"]] == ["demo@localhost", "qwen@gpu02"]
    assert document["errors"] == [failed.error.as_json()]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnreachableError("x"), Status.UNREACHABLE),
        (UnhealthyError("x"), Status.UNHEALTHY),
        (ServerError("x", kind="cut"), Status.UNHEALTHY),
        (PreflightError("x"), Status.FAILED),
    ],
)
def test_an_error_means_a_status(error, status):
    assert failed(Target("demo", "localhost"), error).status is status


def test_a_plan_tells_what_writes():
    keep = Action(kind=ActionKind.KEEP, target=DEMO, reason="as wanted")
    create = Action(kind=ActionKind.CREATE, target=QWEN, reason="not there")
    plan = Plan((keep, create))
    assert plan.changes == (create,)
    unchanging = {ActionKind.KEEP, ActionKind.REFUSED, ActionKind.UNREACHABLE}
    assert {kind for kind in ActionKind if not kind.changes} == unchanging


def test_an_action_says_its_reason_and_each_field():
    changes = (FieldChange("image", "a:1", "a:2"),)
    record = Action(kind=ActionKind.REPLACE, target=DEMO, reason="image differs", changes=changes).as_json()
    assert (record["action"], record["reason"]) == ("replace", "image differs")
    assert record["changes"] == [{"field": "image", "before": "a:1", "after": "a:2"}]


def test_a_problem_says_where_it_is_if_it_is_anywhere():
    at = Position("inventory.yaml", 32, 5, 9)
    assert str(at) == "inventory.yaml:32:5"
    placed = Problem("E012", "unknown key 'imge'", at, "image").as_json()
    assert (placed["file"], placed["line"], placed["column"], placed["end_column"]) == ("inventory.yaml", 32, 5, 9)
    nowhere = Problem("E001", "empty").as_json()
    assert (nowhere["file"], nowhere["line"], nowhere["suggestion"]) == (None, None, None)


def test_a_selection_without_names_means_everything():
    assert Selection().everything
    assert not any(Selection(**{kind: ("x",)}).everything for kind in ("models", "services", "hosts"))


def test_values_cannot_be_changed_and_travel_between_processes():
    with pytest.raises(FrozenInstanceError):
        DEMO.name = "other"
    assert pickle.loads(pickle.dumps(spec(port=1))) == spec(port=1)


def test_a_volume_has_its_own_name_until_a_copy_of_it_is_in_force():
    data, cache = (Mount(source=name, target="/", volume=True) for name in ("data", "data.x"))
    assert spec().volume_name(data) == "data"
    copied = spec(mounts=(data, cache)).with_decided(volumes="data.x.1 data.12")
    assert [copied.volume_name(mount) for mount in copied.volumes] == ["data.12", "data.x.1"]


def test_only_volumes_that_it_may_write_to_are_its_own():
    own = Mount(source="data", target="/d", volume=True)
    others = (Mount(source="/srv", target="/s"), Mount(source="shared", target="/r", volume=True, read_only=True))
    assert spec(mounts=(*others, own)).volumes == (own,)
