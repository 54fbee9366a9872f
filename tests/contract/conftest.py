"""The engines that the contract suite runs over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.benches import Bench, DockerBench, FakeBench, ProcessBench

ENGINES = ("fake", "process", pytest.param("docker", marks=pytest.mark.docker))


@pytest.fixture(params=ENGINES)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "docker":
        made: Bench = DockerBench(request.getfixturevalue("in_rig"))
    elif request.param == "process":
        made = ProcessBench(request.getfixturevalue("tmp_path") / "instances")
    else:
        made = FakeBench()
    yield made
    made.sweep()
