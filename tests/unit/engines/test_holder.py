"""A lock says which process holds it, so that a dead one can be told from a living."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from llmstack.engines import holder

SAY_ME = "from llmstack.engines.holder import me; print(me())"


def test_a_living_process_is_not_dead() -> None:
    assert not holder.is_dead(holder.me())


def test_a_process_that_ended_is_dead() -> None:
    said = subprocess.run([sys.executable, "-c", SAY_ME], capture_output=True, text=True, check=True).stdout
    assert holder.is_dead(said.strip())


def test_a_process_that_ended_and_that_nobody_waited_for_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", SAY_ME], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.read()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and still in the table of processes
        assert holder.is_dead(said.strip())


def test_a_pid_that_was_given_to_another_process_is_dead() -> None:
    place, pid, started = holder.me().split(" ")
    assert holder.is_dead(f"{place} {pid} {float(started) - 60}")


@pytest.mark.parametrize("text", ["", "x", "elsewhere 1 0.0", "elsewhere/ns 999999999 1.0"])
def test_a_process_of_another_machine_may_live(text: str) -> None:
    assert not holder.is_dead(text)


def test_what_cannot_be_read_may_live(monkeypatch: pytest.MonkeyPatch) -> None:
    place = holder.me().split(" ")[0]
    assert not holder.is_dead(f"{place} x 1.0")
    assert not holder.is_dead(f"{place} {os.getpid()} soon")

    def denied(pid: int) -> None:
        raise psutil.AccessDenied(pid)

    monkeypatch.setattr(psutil, "Process", denied)
    assert not holder.is_dead(f"{place} {os.getpid()} 1.0")


def test_where_there_is_no_proc_the_machine_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(path: str) -> str:
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "readlink", missing)
    assert not holder.is_dead(holder.me())
    assert "/" not in holder.me().split(" ")[0]
