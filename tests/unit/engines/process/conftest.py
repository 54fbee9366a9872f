"""An engine in a folder of its own, with a plain server to run; nothing of it outlives its test."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmstack.domain.instance import Instance, InstanceSpec
from llmstack.engines.process import launch
from llmstack.engines.process.engine import ProcessEngine
from tests.unit.engines.process.support import clear, fetch, new_port, now, until

SERVER = Path(__file__).parents[3] / "servers" / "plain_server.py"

UNDER_COVERAGE = """
import sys
sys.path += {path!r}
import coverage
coverage.Coverage(data_file={data!r}, data_suffix=True, config_file={config!r}, auto_data=True).start()
"""


@pytest.fixture(autouse=True)
def measured_shims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where coverage is measured, shims measure themselves too."""
    coverage = sys.modules.get("coverage")
    if coverage and (running := coverage.Coverage.current()):
        site = str(Path(coverage.__file__).parent.parent)
        data, config = os.path.abspath(running.config.data_file), running.config.config_file
        start = UNDER_COVERAGE.format(path=[site], data=data, config=config)
        monkeypatch.setattr(launch, "RUN_SHIM", start + launch.RUN_SHIM.replace("; ", "\n"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "instances"


@pytest.fixture
def engine(root: Path) -> Iterator[ProcessEngine]:
    engine = ProcessEngine("localhost", root)
    yield engine
    clear(engine)
    engine.close()


@pytest.fixture
def port() -> int:
    return new_port()


@pytest.fixture
def make(engine: ProcessEngine, port: int) -> Callable[..., InstanceSpec]:
    """`make("--deaf", restart="no")`: a spec of the plain server with these arguments."""

    def make(*arguments: str, service: str = "demo", **facts: Any) -> InstanceSpec:
        given: dict[str, Any] = {
            "stack": "lab",
            "host": "localhost",
            "type": "container",
            "engine": "process",
            "program": ("python", str(SERVER)),
            "command": ("--port", "{port}", "--host", "{listen}", *arguments),
            "port": port,
            "container_port": port,
        }
        return InstanceSpec(service=service, **{**given, **facts})

    return make


@pytest.fixture
def serve(engine: ProcessEngine, make: Callable[..., InstanceSpec]) -> Callable[..., Instance]:
    """As `make`, created, started, and (unless it is not meant to) answering."""

    def serve(*arguments: str, answers: bool = True, **facts: Any) -> Instance:
        spec = make(*arguments, **facts)
        engine.create(spec)
        engine.start(spec.name)
        if answers and spec.host_port:
            until(lambda: fetch(spec.host_port) is not None)
        return now(engine, spec.name)

    return serve
