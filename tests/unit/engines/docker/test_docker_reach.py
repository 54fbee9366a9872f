"""Where an instance is reached from, whose processes are its own, and what a removal of its network meets."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.domain.endpoint import Endpoint
from llmstack.domain.instance import Instance, InstanceSpec, State
from llmstack.engines.docker import DockerEngine, network
from llmstack.errors import LlmstackError
from tests.unit.engines.docker.stub import Stub

SPEC = InstanceSpec(
    stack="lab", service="web", host="gpu01", type="t", engine="docker", image="i", port=8080, container_port=80
)
ID = "c0ffee"


def instance(bind: str = "127.0.0.1", port: int | None = 8080, spec: InstanceSpec | None = SPEC) -> Instance:
    return Instance(
        id=ID,
        container_name="web",
        service="web",
        host="gpu01",
        engine="docker",
        state=State.STARTING,
        port=port,
        spec=spec and replace(spec, bind=bind),
    )


@pytest.mark.parametrize(
    ("bind", "here", "there"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080", None),
        ("::1", "http://[::1]:8080", None),
        ("0.0.0.0", "http://127.0.0.1:8080", "http://gpu01:8080"),
        ("::", "http://[::1]:8080", "http://gpu01:8080"),
        ("192.168.1.5", "http://192.168.1.5:8080", "http://192.168.1.5:8080"),
    ],
)
def test_on_a_local_engine_the_port_is_on_this_machine(bind: str, here: str, there: str | None) -> None:
    engine = DockerEngine("gpu01", "unix:///nowhere.sock")
    assert engine.endpoint(instance(bind)) == Endpoint(here, "http://web:80", there)


@pytest.mark.parametrize(
    ("bind", "url"),
    [("127.0.0.1", None), ("0.0.0.0", "http://10.0.0.7:8080"), ("192.168.1.5", "http://192.168.1.5:8080")],
)
def test_on_a_remote_engine_loopback_is_not_reached_from_here(bind: str, url: str | None) -> None:
    engine = DockerEngine("gpu01", "tcp://10.0.0.7:2376")
    assert engine.endpoint(instance(bind)) == Endpoint(url, "http://web:80", url)


def test_localhost_is_known_to_others_by_its_name() -> None:
    endpoint = DockerEngine("localhost", "unix:///nowhere.sock").endpoint(instance("0.0.0.0"))
    assert endpoint is not None
    assert endpoint.network == f"http://{socket.gethostname()}:8080"


def test_without_a_published_port_it_is_reached_inside_only() -> None:
    engine = DockerEngine("gpu01", "unix:///nowhere.sock")
    assert engine.endpoint(instance(port=None)) == Endpoint(None, "http://web:80")
    assert engine.endpoint(instance(port=None, spec=None)) is None
    assert engine.endpoint(instance(spec=None)) == Endpoint("http://127.0.0.1:8080", None)


@pytest.mark.parametrize(("cgroup", "pids"), [(f"0::/docker/{ID}", (7, 8)), ("0::/user.slice", None), (None, None)])
def test_pids_are_those_that_this_machine_knows_as_the_containers(
    stub: Stub,
    engine: DockerEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cgroup: str | None,
    pids: tuple[int, ...] | None,
) -> None:
    monkeypatch.setattr("llmstack.engines.docker.inside.PROC", tmp_path)
    for pid in ("7", "8"):
        (tmp_path / pid).mkdir()
        if cgroup:
            (tmp_path / pid / "cgroup").write_text(cgroup)
    stub.on("containers/web/json", 200, {"Id": ID, "Name": "/web", "State": {"Status": "running"}})
    assert engine.pids("web") == pids


def test_a_network_in_use_stays_and_another_refusal_is_an_error(stub: Stub, engine: DockerEngine) -> None:
    stub.on("GET .*networks", 200, [{"Name": "llmstack-lab", "Id": "n"}, {"Name": "llmstack-lab2", "Id": "other"}])
    stub.refuse("DELETE .*networks/n$", 403, "network llmstack-lab has active endpoints")
    network.remove(engine._wire, "lab")
    assert [request for request in stub.seen if "DELETE" in request] == ["DELETE /v1.51/networks/n"]
    stub.refuse("DELETE .*networks/n$", 500, "failed to update store")
    with pytest.raises(LlmstackError, match="remove network n"):
        network.remove(engine._wire, "lab")
