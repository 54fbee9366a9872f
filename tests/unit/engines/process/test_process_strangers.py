"""Model servers that somebody else runs here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmstack.domain.instance import Instance, State
from llmstack.engines.process.engine import ProcessEngine
from llmstack.engines.process.strangers import strangers
from tests.unit.engines.process.conftest import SERVER
from tests.unit.engines.process.support import fetch, new_port, until

Serve = Callable[..., Instance]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], tuple[int, int]]]:
    """`run("llama-server")`: a listening program of that name; its pid and port."""
    started: list[subprocess.Popen[bytes]] = []

    def run(name: str) -> tuple[int, int]:
        port = new_port()
        script = Path(shutil.copy(SERVER, tmp_path / name))
        process = subprocess.Popen([sys.executable, str(script), "--port", str(port)], stdout=subprocess.DEVNULL)
        started.append(process)
        until(lambda: fetch(port) == "ok")
        return process.pid, port

    yield run
    for process in started:
        process.kill()
        process.wait()


def test_a_known_name_that_listens_is_a_stranger(engine: ProcessEngine, run: Callable[[str], tuple[int, int]]) -> None:
    pid, port = run("llama-server")
    (found,) = [each for each in engine.strangers() if each.port == port]
    assert (found.service, found.pid, found.state, found.engine) == ("llama-server", pid, State.STARTING, "process")
    assert (found.stack, found.spec, found.running) == (None, None, True)
    endpoint = engine.endpoint(found)
    assert endpoint is not None
    assert endpoint.controller == f"http://127.0.0.1:{port}"


def test_any_other_program_that_listens_is_none(engine: ProcessEngine, run: Callable[[str], tuple[int, int]]) -> None:
    _, port = run("webpages")
    assert port not in [each.port for each in engine.strangers()]


def test_our_own_instances_are_none(engine: ProcessEngine, serve: Serve, tmp_path: Path, port: int) -> None:
    serve(program=("python", str(shutil.copy(SERVER, tmp_path / "ollama"))))
    assert port not in [each.port for each in engine.strangers()]
    assert port in [each.port for each in strangers("localhost", ())]
