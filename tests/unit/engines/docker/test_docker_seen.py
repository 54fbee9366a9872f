"""A run of many instances asks an engine once for what is the same for all of them, and looks again at the next run."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import pytest

from llmstack.domain.instance import InstanceSpec
from llmstack.engines.docker import DockerEngine
from llmstack.engines.labels import labels_of
from tests.unit.engines.docker.stub import Stub

SPEC = InstanceSpec(stack="lab", service="a", host="gpu01", type="t", engine="docker", image="i:1")
SPECS = [replace(SPEC, service=name) for name in "abc"]


@pytest.fixture(autouse=True)
def answers(stub: Stub) -> None:
    stub.on("GET .*containers/json", 200, [])
    stub.on("GET .*images/i:1/json", 200, {"Id": "sha256:1"})
    stub.on("GET .*networks", 200, [])
    stub.on("POST .*networks/create", 201, {"Id": "n"})
    stub.on("POST .*containers/create", 201, {"Id": "c"})
    stub.on("DELETE", 204, b"")


def asked(stub: Stub) -> Counter[str]:
    """The requests since the last time, without the API's version and the query."""
    found = Counter(re.sub(r"/v[\d.]+(?=/)|\?.*", "", request) for request in stub.seen)
    stub.seen.clear()
    return found


def show(stub: Stub, *specs: InstanceSpec) -> None:
    rows = [{"Names": [f"/{spec.name}"], "State": "running", "Labels": labels_of(spec)} for spec in specs]
    stub.on("GET .*containers/json", 200, rows)


def test_many_are_made_with_one_question_for_their_image_and_one_for_their_network(
    stub: Stub, engine: DockerEngine
) -> None:
    for spec in SPECS:
        assert engine.missing(spec) == ()
        engine.check_port(spec)
        assert engine.create(spec).container_name == spec.name
    calls = asked(stub)
    assert calls["POST /containers/create"] == 3
    assert (calls["GET /images/i:1/json"], calls["POST /networks/create"]) == (1, 1)
    assert calls["GET /containers/json"] == 0


def test_an_image_that_is_not_there_is_asked_for_again(stub: Stub, engine: DockerEngine) -> None:
    stub.refuse("GET .*images/i:1/json", 404, "No such image: i:1")
    assert [need.name for need in engine.missing(SPEC)] == ["i:1"]
    stub.on("GET .*images/i:1/json", 200, {"Id": "sha256:1"})
    assert engine.missing(SPEC) == ()


def test_a_new_look_takes_nothing_for_granted(stub: Stub, engine: DockerEngine) -> None:
    for _ in range(2):
        engine.observe("lab")
        assert engine.missing(SPEC) == ()
        engine.create(SPEC)
    calls = asked(stub)
    assert (calls["GET /images/i:1/json"], calls["POST /networks/create"]) == (2, 2)


def test_the_network_goes_with_the_last_of_those_that_were_seen(stub: Stub, engine: DockerEngine) -> None:
    show(stub, *SPECS)
    engine.observe("lab")
    engine.create(SPEC)
    stub.on("GET .*networks", 200, [{"Name": "llmstack-lab", "Id": "n"}])
    asked(stub)
    for spec in SPECS[:2]:
        engine.remove(spec.name)
    assert asked(stub) == {f"DELETE /containers/{spec.name}": 1 for spec in SPECS[:2]}
    show(stub)
    engine.remove(SPECS[2].name)
    assert asked(stub)["DELETE /networks/n"] == 1
    engine.create(SPEC)
    assert asked(stub)["GET /networks"] == 1


def test_what_runs_again_after_its_stop_is_stopped_for_good_before_it_is_removed(
    stub: Stub, engine: DockerEngine
) -> None:
    show(stub, SPEC)
    (there,) = engine.observe("lab")
    stub.on("POST .*stop", 204)
    stub.on("GET .*/json", 200, {"Name": f"/{SPEC.name}", "State": {"Status": "exited"}})
    stub.refuse("DELETE", 409, "cannot remove container: container is running")
    asked(stub)

    def before(request: str) -> None:
        """Once it was looked at, it can be removed."""
        if re.search(f"GET .*containers/{SPEC.name}", request):
            stub.on("DELETE", 204, b"")

    stub.before = before
    engine.stop_and_remove(there, 5)
    calls = asked(stub)
    assert (calls[f"POST /containers/{SPEC.name}/stop"], calls[f"DELETE /containers/{SPEC.name}"]) == (2, 2)


def test_the_network_stays_for_what_somebody_else_made_meanwhile(stub: Stub, engine: DockerEngine) -> None:
    show(stub, SPEC)
    engine.observe("lab")
    show(stub, SPECS[1])
    engine.remove(SPEC.name)
    assert not [call for call in asked(stub) if "networks" in call]


def test_what_was_never_seen_is_looked_at_before_it_is_removed(stub: Stub, engine: DockerEngine) -> None:
    stub.on(f"GET .*containers/{SPEC.name}/json", 200, {"Name": f"/{SPEC.name}", "Config": {"Labels": labels_of(SPEC)}})
    stub.on("GET .*networks", 200, [{"Name": "llmstack-lab", "Id": "n"}])
    engine.remove(SPEC.name)
    assert asked(stub)["DELETE /networks/n"] == 1


def test_the_engine_finds_the_holder_of_a_port_podman_does_not(stub: Stub, engine: DockerEngine) -> None:
    engine.check_port(replace(SPEC, port=65530))
    assert "publish" in stub.seen[-1]
    stub.headers["Server"] = "Libpod/5.8.6"
    podman = DockerEngine("gpu01", stub.address)
    podman.check_port(replace(SPEC, port=65530))
    podman.close()
    assert "publish" not in stub.seen[-1]
