"""The engines that the contract suite runs over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.contract.benches import Bench, DockerBench, FakeBench, ProcessBench
from tests.rig.kinds import DEFAULT, KINDS

OTHERS = [pytest.param(kind, marks=(pytest.mark.docker, pytest.mark.slow)) for kind in KINDS if kind != DEFAULT]
ENGINES = ("fake", "process", pytest.param(DEFAULT, id="docker", marks=pytest.mark.docker), *OTHERS)


@pytest.fixture(params=ENGINES)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with ExitStack() as stack:
        if request.param in KINDS:
            host = request.getfixturevalue("rig_of")(request.param)
            stack.enter_context(host.inside())
            made: Bench = DockerBench(host)
        elif request.param == "process":
            made = ProcessBench(request.getfixturevalue("tmp_path") / "instances")
        else:
            made = FakeBench()
        yield made
        made.sweep()
