"""Ports of one run: decided once, given once, and given anew where somebody took them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmstack.domain.instance import State
from llmstack.errors import InventoryError
from tests.unit.core.stack import ALL, Bench, recap

AUTO = """
llmstack: 1
stack: lab
services:
  fixed: {type: loader, port: 8081}
models:
  a: {type: loader, port: auto}
  b: {type: loader, port: auto, engine: process}
  c: {type: loader, port: auto, engine: process}
  of_fixed: {service: fixed}
"""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    for app in bench.apps:
        app.close()


def ports(bench: Bench) -> list[int | None]:
    engines = (bench.world.engine(), bench.world.engine(kind="process"))
    return sorted(there.port or 0 for engine in engines for there in engine.instances.values())


def test_no_two_of_a_run_get_one_port_whatever_their_engines(bench: Bench) -> None:
    bench.write(AUTO)
    assert recap(bench.app().up(ALL)) == {"changed": 4}
    assert ports(bench) == [8080, 8081, 8082, 8083]


def test_an_automatic_port_that_somebody_took_is_decided_anew(bench: Bench) -> None:
    bench.write("llmstack: 1\nstack: lab\nmodels:\n  a: {type: loader, port: auto}\n")
    bench.app().up(ALL)
    engine = bench.world.engine()
    (name,) = engine.instances
    engine.stop(name, 1)
    engine.occupy(8080, "python (pid 7)")
    assert recap(bench.app().up(ALL)) == {"changed": 1}
    assert ports(bench) == [8081]
    assert engine.instances[name].state is State.STARTING


def test_two_types_with_the_same_port_of_their_own_are_told_before(bench: Bench) -> None:
    bench.write("llmstack: 1\nstack: lab\nmodels:\n  a: {type: loader}\n  b: {type: loader}\n")
    with pytest.raises(InventoryError) as raised:
        bench.app().up(ALL)
    (problem,) = raised.value.problems
    assert (problem.code, problem.suggestion, problem.position and problem.position.line) == (
        "E038",
        "write port: auto",
        5,
    )
    assert problem.message == "port 8080 of b@localhost is also that of 'a'"


def test_a_port_that_was_asked_for_is_never_changed_only_refused_with_its_holder(bench: Bench) -> None:
    bench.write("llmstack: 1\nstack: lab\nmodels:\n  a: {type: loader, port: 8080}\n")
    bench.app().up(ALL)
    engine = bench.world.engine()
    (name,) = engine.instances
    engine.stop(name, 1)
    engine.occupy(8080, "python (pid 7)")
    result = bench.app().up(ALL)
    assert result.exit_code == 9
    assert "python (pid 7)" in result.outcomes[0].reason
    assert engine.instances[name].state is State.STOPPED
