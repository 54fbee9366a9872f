"""What runs uses, by real commands on the process engine."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable

import pytest

from tests.cli.test_streams import pipe
from tests.desk import Desk, Ran


def test_stats_tell_what_a_process_uses_and_leave_out_what_others_run(look: Callable[..., Ran]) -> None:
    (row,) = look("stats", "-o", "json").json["items"]
    assert (row["target"], row["engine"], row["models"]) == ("ollama@localhost", "process", ["llama3", "mistral"])
    assert row["cpu_percent"] >= 0
    assert row["memory_bytes"] > 0
    assert row["processes"] >= 1
    assert row["network_received_bytes"] is None
    head, told = look("stats").out.splitlines()
    assert (head.split()[:4], told.split()[:2]) == (["SERVICE", "HOST", "CPU", "MEMORY"], ["ollama", "localhost"])


def test_watched_stats_end_with_their_reader(started: Desk) -> None:
    ran = pipe(started, "llmstack stats --watch -o ndjson | head -n 2; echo ${PIPESTATUS[0]}")
    first, second, code = ran.stdout.splitlines()
    assert [json.loads(line)["target"] for line in (first, second)] == ["ollama@localhost"] * 2
    assert json.loads(first)["seq"] < json.loads(second)["seq"]
    assert code == "141"


def test_on_a_terminal_each_look_takes_the_place_of_the_one_before(
    started: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        started, "env", {name: value for name, value in started.env.items() if name != "CI"} | {"TERM": "xterm"}
    )
    ours, theirs = os.openpty()
    with started.start("stats", "--watch", stdout=theirs) as process:
        os.close(theirs)
        seen = ""
        while seen.count("ollama") < 2:
            seen += os.read(ours, 4096).decode()
        process.send_signal(signal.SIGINT)
        process.communicate()
    os.close(ours)
    assert process.returncode == 130
    assert seen.startswith("\x1b[2J\x1b[H")
    assert seen.count("SERVICE") == seen.count("\x1b[2J\x1b[H") == 2


def test_what_was_watched_is_remembered_by_the_names_of_its_models(started: Desk, door: str) -> None:
    (item,) = started.good("history", "--model", "llama3", "--metrics", "-o", "json", door=door).json["items"]
    assert item["target"] == "ollama@localhost"
    assert item["samples"][-1]["memory_bytes"] > 0
    told = started.good("history", "--metrics", door=door).out
    assert "\n  MEMORY  " in told
    assert started.run("history", "--model", "nobody", "--metrics", door=door).code == 5


def test_nothing_that_runs_is_an_answer(desk: Desk, door: str) -> None:
    ran = desk.good("stats", door=door)
    assert (ran.out, ran.err) == ("", "! nothing of it runs\n")
