from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmstack.engines.docker import DockerEngine
from tests.unit.engines.docker.stub import Stub, serving


@pytest.fixture
def stub() -> Iterator[Stub]:
    """Its socket lies in a short path: a Unix socket's may have 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="stub-") as folder, serving(Path(folder) / "docker.sock") as running:
        yield running


@pytest.fixture
def engine(stub: Stub) -> Iterator[DockerEngine]:
    made = DockerEngine("gpu01", stub.address)
    yield made
    made.close()
