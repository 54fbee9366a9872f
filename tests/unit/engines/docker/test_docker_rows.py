from __future__ import annotations

from typing import Any

import pytest

from llmstack.domain.instance import NO_NETWORK, PAUSED, InstanceSpec, State
from llmstack.engines.docker.rows import from_inspect, from_row, resting, seconds
from llmstack.engines.docker.strangers import kind_of, strangers
from llmstack.engines.labels import STACK, labels_of

SPEC = InstanceSpec(stack="lab", service="demo", host="h", type="t", engine="docker", image="i:1", port=8080)


def inspected(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "Id": "abc",
        "Name": "/llmstack-lab-demo",
        "Image": "sha256:1",
        "Created": "2026-11-22T10:00:00.123456789Z",
        "RestartCount": 0,
        "State": state,
        "Config": {"Image": "i:1", "Labels": labels_of(SPEC)},
        "HostConfig": {"RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0}, "PortBindings": {}},
        **more,
    }


@pytest.mark.parametrize(
    ("code", "oom", "policy", "restarts", "state"),
    [
        (0, False, "no", 0, State.STOPPED),
        (143, False, "no", 0, State.STOPPED),
        (130, False, "no", 0, State.STOPPED),
        (1, False, "unless-stopped", 4, State.CRASHED),
        (137, True, "unless-stopped", 0, State.CRASHED),
        (137, False, "unless-stopped", 0, State.STOPPED),
        (137, False, "always", 0, State.STOPPED),
        (137, False, "on-failure:3", 1, State.STOPPED),
        (137, False, "on-failure:3", 3, State.CRASHED),
        (137, False, "on-failure", 9, State.STOPPED),
        (137, False, "no", 0, State.CRASHED),
        (None, False, "no", 0, State.CRASHED),
    ],
)
def test_what_rests_was_stopped_or_crashed(
    code: int | None, oom: bool, policy: str, restarts: int, state: State
) -> None:
    assert resting(code, oom, policy, restarts) is state


@pytest.mark.parametrize(
    ("status", "state", "running"),
    [
        ("running", State.STARTING, True),
        ("paused", State.STOPPED, False),
        ("restarting", State.CRASHED, False),
        ("created", State.STOPPED, False),
        ("dead", State.CRASHED, False),
    ],
)
def test_the_engines_words_become_ours(status: str, state: State, running: bool) -> None:
    instance = from_inspect(inspected({"Status": status, "ExitCode": 1}), "h")
    assert (instance.state, instance.running) == (state, running)
    if status != "dead":
        row = from_row({"Id": "abc", "Names": ["/x"], "State": status, "Labels": {}}, "h")
        assert (row.state, row.running) == (state, running)


def test_an_inspect_answer_tells_everything() -> None:
    state = {
        "Status": "exited",
        "ExitCode": 137,
        "OOMKilled": True,
        "StartedAt": "2026-11-22T10:00:01Z",
        "FinishedAt": "2026-11-22T10:00:02.5+00:00",
    }
    instance = from_inspect(inspected(state, RestartCount=2), "h")
    assert (instance.spec, instance.stack, instance.service) == (SPEC, "lab", "demo")
    assert (instance.exit_code, instance.out_of_memory, instance.restarts) == (137, True, 2)
    assert (instance.started_at, instance.finished_at) == (1795341601.0, 1795341602.5)
    assert (instance.port, instance.restart_policy, instance.pid) == (8080, "unless-stopped", None)


def test_a_child_killed_for_memory_is_told_and_does_not_make_a_good_end_a_bad_one() -> None:
    instance = from_inspect(inspected({"Status": "exited", "ExitCode": 0, "OOMKilled": True}), "h")
    assert (instance.state, instance.out_of_memory) == (State.STOPPED, True)


def test_what_runs_has_no_exit_code_and_no_end() -> None:
    state = {"Status": "running", "ExitCode": 0, "Pid": 42, "FinishedAt": "2026-11-22T10:00:00Z", "OOMKilled": False}
    instance = from_inspect(inspected(state), "h")
    assert (instance.exit_code, instance.finished_at, instance.out_of_memory, instance.pid) == (None, None, False, 42)


def test_why_a_start_failed_is_kept() -> None:
    instance = from_inspect(inspected({"Status": "created", "Error": "port is already allocated"}), "h")
    assert (instance.state, instance.error) == (State.STOPPED, "port is already allocated")
    assert from_inspect(inspected({"Status": "paused"}), "h").error == PAUSED


def test_what_runs_outside_the_network_of_its_stack_says_so() -> None:
    for networks, error in (({"bridge": {}}, NO_NETWORK), ({"llmstack-lab": {}}, None), (None, None)):
        data = {"NetworkSettings": {"Networks": networks}, "Config": {"Labels": {STACK: "lab"}}}
        assert from_inspect({**inspected({"Status": "running"}), **data}, "h").error == error
        assert from_row({"State": "running", "Labels": {STACK: "lab"}, **data}, "h").error == error
        assert from_row({"State": "running", **data}, "h").error is None
    assert from_inspect(inspected({"Status": "running", "Error": "container is running"}), "h").error is None


def test_the_year_one_and_nonsense_are_unknown_times() -> None:
    assert seconds("0001-01-01T00:00:00Z") is None
    assert seconds("soon") is None
    assert seconds(None) is None
    assert seconds("2026-11-22T10:00:00") is None


def test_a_damaged_answer_is_an_instance_of_unknowns() -> None:
    for damaged in ({}, {"State": None, "Config": None, "HostConfig": None, "Labels": None, "Names": None}):
        assert from_inspect(damaged, "h").state is State.CRASHED
        assert from_row(damaged, "h").spec is None


def test_a_row_has_its_own_name_not_that_of_a_link() -> None:
    row = {"Id": "abc", "Names": ["/other/alias", "/web"], "State": "running"}
    assert from_row(row, "h").container_name == "web"


def test_the_published_port_of_a_row_counts() -> None:
    ports = [{"PrivatePort": 80, "PublicPort": 9000, "Type": "tcp"}, {"PrivatePort": 81}]
    assert from_row({"Names": ["/w"], "State": "running", "Ports": ports}, "h").port == 9000
    bindings = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9000"}], "81/tcp": None}
    data = inspected({"Status": "running"}, HostConfig={"PortBindings": bindings}, Config={})
    assert from_inspect(data, "h").port == 9000


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"Image": "ollama/ollama:0.12.6"}, "ollama"),
        ({"Image": "ghcr.io/ggml-org/llama.cpp:server-cuda"}, "llama.cpp"),
        ({"Image": "vllm/vllm-openai@sha256:abc"}, "vllm"),
        ({"Image": "ghcr.io/open-webui/open-webui:main"}, "open-webui"),
        ({"Image": "sha256:abc", "Names": ["/my-ollama"]}, "ollama"),
        ({"Image": "private/thing", "Ports": [{"PrivatePort": 11434}]}, "ollama"),
        ({"Image": "nginx", "Names": ["/web"], "Ports": [{"PrivatePort": 8080}]}, None),
        ({"Image": "example/collama-tools"}, None),
    ],
)
def test_known_servers_are_told_by_image_name_or_port(row: dict[str, Any], kind: str | None) -> None:
    assert kind_of(row) == kind


def test_our_own_are_no_strangers() -> None:
    ours = {"Names": ["/a"], "Image": "ollama/ollama", "State": "running", "Labels": labels_of(SPEC)}
    theirs = {"Names": ["/b"], "Image": "ollama/ollama", "State": "running", "Labels": None}
    found = strangers([ours, theirs], "h")
    assert [(each.container_name, each.service, each.stack) for each in found] == [("b", "ollama", None)]
