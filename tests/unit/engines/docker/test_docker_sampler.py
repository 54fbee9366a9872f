"""How the figures of many containers are asked for, by the engine's age."""

from __future__ import annotations

from collections import Counter

import pytest

from llmstack.engines.docker import DockerEngine
from llmstack.engines.docker.sampler import Sampler
from tests.unit.engines.docker.stub import Stub
from tests.unit.engines.docker.test_docker_usage import V1, V2

NAMES = [f"c{number}" for number in range(20)]


def row(name: str) -> dict[str, object]:
    return {"Id": f"id-{name}", "Names": [f"/{name}"], "State": "running", "Labels": {}}


@pytest.fixture(autouse=True)
def running(stub: Stub) -> None:
    stub.on("GET .*containers/json", 200, [row(name) for name in NAMES])
    stub.on("GET .*/stats", 200, V1)


def asked(stub: Stub) -> Counter[str]:
    """Requests for figures, by their query."""
    found = Counter(request.partition("?")[2] for request in stub.seen if "/stats" in request)
    stub.seen.clear()
    return found


def test_at_first_two_single_samples_are_taken_and_then_one_each_time(engine: DockerEngine, stub: Stub) -> None:
    assert [*engine.usages(NAMES)] == NAMES
    assert asked(stub) == {"stream=False&one-shot=True": 40}
    assert engine.usages(NAMES)["c7"].processes == 3
    assert asked(stub) == {"stream=False&one-shot=True": 20}


def test_an_old_engine_takes_both_samples_itself(engine: DockerEngine, stub: Stub) -> None:
    stub.headers["Api-Version"] = "1.43"
    stub.on("GET .*/stats", 200, V2)
    for _ in range(2):
        assert engine.usages(NAMES)["c0"].cpu_percent == pytest.approx(100.0)
        assert asked(stub) == {"stream=False&one-shot=False": 20}


def test_quickly_a_new_engine_tells_by_the_clock(engine: DockerEngine, stub: Stub) -> None:
    engine.usages(["c0"], quick=True)
    used = {"cpu_usage": {"total_usage": 527767869}, "system_cpu_usage": V1["cpu_stats"]["system_cpu_usage"] + 10**7}
    stub.on("GET .*/stats", 200, {**V1, "read": "2026-11-25T13:22:15.138553193Z", "cpu_stats": used})
    assert engine.usages(["c0"], quick=True)["c0"].cpu_percent == pytest.approx(50.0)


def test_quickly_an_old_engine_tells_nothing(engine: DockerEngine, stub: Stub) -> None:
    stub.headers["Api-Version"] = "1.43"
    assert engine.usages(NAMES, quick=True) == {}
    assert asked(stub) == {}


def test_podman_answers_at_once_whatever_its_version(engine: DockerEngine, stub: Stub) -> None:
    stub.headers |= {"Api-Version": "1.41", "Server": "Libpod/4.3.1"}
    assert len(engine.usages(NAMES)) == 20
    assert asked(stub) == {"stream=False&one-shot=True": 40}


def test_what_does_not_run_is_not_asked_for_and_what_goes_meanwhile_is_left_out(
    engine: DockerEngine, stub: Stub
) -> None:
    stub.refuse("GET .*id-c1/stats", 404, "No such container: c1")
    stub.on("GET .*id-c2/stats", 200, {**V1, "read": "0001-01-01T00:00:00Z", "memory_stats": {}})
    assert [*engine.usages(["c0", "c1", "c2", "gone"])] == ["c0"]
    assert not any("gone" in request for request in stub.seen)


def test_nothing_is_waited_for_where_nothing_runs(stub: Stub, engine: DockerEngine) -> None:
    assert Sampler(engine._wire).usages({}) == {}
    assert engine.usages(["gone"]) == {}
    assert asked(stub) == {}
