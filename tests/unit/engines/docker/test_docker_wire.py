"""The way to an engine: versions, threads, time-outs, what the environment must not change, and damaged answers."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from llmstack.domain.instance import InstanceSpec, Need
from llmstack.domain.resources import Resources
from llmstack.engines.docker import DockerEngine, wire
from llmstack.engines.docker.wire import clamp, numbers
from llmstack.engines.labels import labels_of
from llmstack.errors import ConfigError, FetchError, LlmstackError, PreflightError, UnreachableError
from tests.unit.engines.docker.stub import Stub

SPEC = InstanceSpec(stack="lab", service="demo", host="gpu01", type="t", engine="docker", image="i:1", port=8080)
VERSION = "GET /v1.51/version"


@pytest.mark.parametrize(
    ("server", "minimum", "spoken"),
    [
        ((1, 41), None, (1, 41)),
        ((1, 48), (1, 24), (1, 48)),
        ((1, 55), (1, 40), (1, 51)),
        ((1, 60), (1, 53), (1, 53)),
    ],
)
def test_the_newest_version_both_know_is_spoken(
    server: tuple[int, int], minimum: tuple[int, int] | None, spoken: tuple[int, int]
) -> None:
    assert clamp(server, minimum) == spoken


def test_an_engine_older_than_20_10_is_refused() -> None:
    with pytest.raises(UnreachableError, match=r"too old: it speaks API 1\.40"):
        clamp((1, 40), None)


@pytest.mark.parametrize("text", ["", "auto", "1", "1.x", "v1.41"])
def test_what_is_no_version_is_none(text: str) -> None:
    assert numbers(text) is None


def test_the_version_is_asked_for_by_an_unversioned_ping_alone(stub: Stub, engine: DockerEngine) -> None:
    stub.on("containers/json", 200, [])
    assert engine.observe("lab") == ()
    assert stub.seen[0] == "GET /_ping"
    assert stub.seen[1].startswith("GET /v1.51/containers/json?")
    assert len(stub.seen) == 2


def test_a_thousand_that_run_are_told_by_one_list_call(stub: Stub, engine: DockerEngine) -> None:
    specs = [replace(SPEC, service=f"s{number}") for number in range(1000)]
    rows = [{"Names": [f"/{spec.name}"], "State": "running", "Labels": labels_of(spec)} for spec in specs]
    stub.on("containers/json", 200, rows)
    assert [(found.service, found.spec) for found in engine.observe("lab")] == [(spec.service, spec) for spec in specs]
    assert [request.partition("?")[0] for request in stub.seen] == ["GET /_ping", "GET /v1.51/containers/json"]


def test_a_newer_engine_is_asked_for_its_minimum(stub: Stub, engine: DockerEngine) -> None:
    stub.headers["Api-Version"] = "1.55"
    stub.on("GET /version", 200, {"MinAPIVersion": "1.53", "Version": "31.0"})
    stub.on("GET /v1.53/version", 200, {"Version": "31.0"})
    assert engine.describe() == "docker 31.0"
    assert stub.seen == ["GET /_ping", "GET /version", "GET /v1.53/version"]


def test_docker_api_version_in_the_environment_changes_nothing(
    stub: Stub, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_API_VERSION", "1.24")
    stub.on(VERSION, 200, {"Version": "28.5.2"})
    assert engine.describe() == "docker 28.5.2"


def test_podman_is_told_by_its_header(stub: Stub, engine: DockerEngine) -> None:
    stub.headers |= {"Server": "Libpod/5.8.6 (linux)", "Api-Version": "1.44"}
    stub.on("GET /v1.44/version", 200, {"Version": "5.8.6"})
    assert engine.describe() == "podman 5.8.6"


def test_gpus_of_podman_are_asked_for_by_cdi_also_by_the_first_call(stub: Stub, engine: DockerEngine) -> None:
    stub.headers["Server"] = "Libpod/5.8.6"
    stub.on("networks", 200, [{"Name": "llmstack-lab", "Id": "n"}])
    stub.on("POST .*containers/create", 201, {"Id": "c"})
    stub.on("containers/llmstack-lab-demo/json", 200, {"Name": "/llmstack-lab-demo"})
    spec = InstanceSpec(
        stack="lab", service="demo", host="h", type="t", engine="docker", image="i", resources=Resources(gpus=("all",))
    )
    engine.create(spec)
    assert b'"nvidia.com/gpu=all"' in b"".join(stub.bodies)
    stub.headers["Server"] = "Libpod/4.3.1 (linux)"
    with contextlib.closing(DockerEngine("gpu01", stub.address)) as old:
        for refused in (old.create, old.check_place):
            with pytest.raises(PreflightError, match="would start llmstack-lab-demo without its GPU"):
                refused(spec)


def test_a_server_that_is_no_engine_is_told_as_such(stub: Stub, engine: DockerEngine) -> None:
    stub.headers = {"Server": "nginx"}
    with pytest.raises(UnreachableError, match="no Docker engine"):
        engine.observe(None)


def test_an_engine_that_is_not_there_is_unreachable_and_says_how_to_start_it(tmp_path: Path) -> None:
    engine = DockerEngine("gpu01", f"unix://{tmp_path}/none.sock")
    with pytest.raises(UnreachableError, match=r"gpu01.*does not run") as raised:
        engine.observe(None)
    assert "systemctl start docker" in (raised.value.hint or "")


def test_an_engine_that_hangs_is_unreachable_in_finite_time(
    stub: Stub, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LOOK_S", 0.2)
    stub.before = lambda request: stub.hang.wait(20) and None
    with pytest.raises(UnreachableError, match="did not answer in time"):
        engine.observe(None)


def test_each_thread_has_its_own_client_and_close_ends_them_all(stub: Stub, engine: DockerEngine) -> None:
    stub.on("containers/json", 200, [])
    clients = set()

    def look() -> None:
        engine.observe(None)
        clients.add(id(engine._wire._client()))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    look()
    assert len(clients) == len(engine._wire._all) == 5
    engine.close()
    assert engine._wire._all == []
    assert engine.observe(None) == ()


def test_proxies_and_ca_bundles_of_the_environment_are_not_used(
    stub: Stub, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/nowhere")
    stub.on("containers/json", 200, [])
    assert engine.observe(None) == ()
    assert engine._wire._client().trust_env is False


def test_tls_is_verified_with_the_given_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llmstack.engines.docker.client import Client

    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    engine = DockerEngine("gpu01", "tcp://127.0.0.1:9")
    client = Client(engine._wire.address, "1.41")
    assert client.base_url.startswith("https://")
    assert client.verify == str(tmp_path / "ca.pem")
    assert client.cert == (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
    client.close()


def test_a_plain_client_on_a_tls_port_is_told_to_use_tls(stub: Stub, engine: DockerEngine) -> None:
    stub.on("_ping", 400, b"Client sent an HTTP request to an HTTPS server.\n")
    with pytest.raises(UnreachableError, match="wants TLS"):
        engine.observe(None)


@pytest.mark.parametrize("body", [b"<html>", b"", b'{"a": '])
def test_an_answer_that_is_no_json_is_an_error_not_a_traceback(stub: Stub, engine: DockerEngine, body: bytes) -> None:
    stub.on("containers/json", 200, body)
    with pytest.raises(LlmstackError, match=r"list containers|broke off"):
        engine.observe(None)


def test_a_mistake_of_our_own_is_not_blamed_on_the_engine(stub: Stub, engine: DockerEngine) -> None:
    with pytest.raises(ZeroDivisionError), engine._wire.doing("divide"):
        _ = 1 / 0


def test_a_container_that_vanishes_between_list_and_inspect_is_left_out(stub: Stub, engine: DockerEngine) -> None:
    stub.on(
        "containers/json",
        200,
        [{"Id": "a", "Names": ["/gone"], "State": "exited", "Labels": {"io.llmstack.role": "serve"}}],
    )
    assert engine.observe("lab") == ()


def test_a_pull_error_inside_a_good_answer_is_raised(stub: Stub, engine: DockerEngine) -> None:
    lines = b'{"status": "Pulling from i", "id": "1"}\r\n{"errorDetail": {"message": "EOF"}, "error": "EOF"}\r\n'
    stub.on("POST .*images/create", 200, lines)
    with pytest.raises(FetchError, match="EOF"):
        engine.fetch(Need(kind="image", name="i:1"), SPEC, lambda step: None)


@pytest.mark.parametrize(
    ("image", "query"),
    [
        ("ollama/ollama", "fromImage=ollama%2Follama&tag=latest"),
        ("r.lab:5000/a/b:2", "fromImage=r.lab%3A5000%2Fa%2Fb&tag=2"),
        ("a@sha256:ff", "fromImage=a&tag=sha256%3Aff"),
    ],
)
def test_a_pull_names_its_tag_always(stub: Stub, engine: DockerEngine, image: str, query: str) -> None:
    stub.on("POST .*images/create", 200, b"")
    stub.on("GET .*/images/", 200, {"Id": "sha256:1"})
    engine.fetch(Need(kind="image", name=image), SPEC, lambda step: None)
    requested = next(request for request in stub.seen if "images/create" in request)
    assert sorted(requested.partition("?")[2].split("&")) == sorted(query.split("&"))


def test_a_pull_that_ends_without_an_image_is_taken_up_again(stub: Stub, engine: DockerEngine) -> None:
    stub.on("POST .*images/create", 200, b'{"status": "Downloading", "id": "1"}\r\n')
    stub.refuse("GET .*/images/", 404, "No such image: i:1")
    with pytest.raises(FetchError, match="broke off in the middle") as raised:
        engine.fetch(Need(kind="image", name="i:1"), SPEC, lambda step: None)
    assert raised.value.data["again"]


def test_a_refused_pull_is_a_fetch_error(stub: Stub, engine: DockerEngine) -> None:
    stub.refuse("POST .*images/create", 500, "no basic auth credentials")
    with pytest.raises(FetchError, match=r"pull i:1 on gpu01: its registry refuses .no basic auth"):
        engine.fetch(Need(kind="image", name="i:1"), SPEC, lambda step: None)


def test_a_start_without_gpu_driver_is_a_preflight_error(stub: Stub, engine: DockerEngine) -> None:
    stub.refuse("start", 500, 'could not select device driver "" with capabilities: [[gpu]]')
    with pytest.raises(PreflightError, match="cannot give it a GPU"):
        engine.start("llmstack-lab-demo")


def test_of_two_networks_of_one_name_ours_is_taken_back(stub: Stub, engine: DockerEngine) -> None:
    """Engines before 25 make a second one and then call the name ambiguous."""
    looks = iter([[], [{"Name": "llmstack-lab", "Id": "aaa"}, {"Name": "llmstack-lab", "Id": "bbb"}]])
    stub.before = lambda request: (
        stub.on("GET .*networks", 200, next(looks)) if "GET /v1.51/networks" in request else None
    )
    stub.on("POST .*networks/create", 201, {"Id": "bbb"})
    stub.on("DELETE .*networks/bbb", 204, b"")
    stub.on("POST .*containers/create", 201, {"Id": "c"})
    stub.on("containers/llmstack-lab-demo/json", 200, {"Name": "/llmstack-lab-demo"})
    engine.create(SPEC)
    assert "DELETE /v1.51/networks/bbb" in stub.seen


def test_a_network_that_someone_else_made_meanwhile_is_used(stub: Stub, engine: DockerEngine) -> None:
    stub.on("GET .*networks", 200, [])
    stub.refuse("POST .*networks/create", 409, "network with name llmstack-lab already exists")
    stub.on("POST .*containers/create", 201, {"Id": "c"})
    stub.on("containers/llmstack-lab-demo/json", 200, {"Name": "/llmstack-lab-demo"})
    assert engine.create(SPEC).container_name == "llmstack-lab-demo"


def test_a_network_that_cannot_be_made_is_an_error(stub: Stub, engine: DockerEngine) -> None:
    stub.on("GET .*networks", 200, [])
    stub.refuse("POST .*networks/create", 500, "could not find an available address pool")
    with pytest.raises(LlmstackError, match="create network llmstack-lab"):
        engine.create(SPEC)


def test_a_stop_that_leaves_something_names_it(
    stub: Stub, engine: DockerEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmstack.engines.docker.engine.GONE_S", 0.1)
    stub.on("containers/demo/json", 200, {"Name": "/demo", "State": {"Status": "running"}})
    stub.on("POST .*containers/demo/stop", 204, b"")
    with pytest.raises(LlmstackError, match="demo on gpu01 was stopped, but it still runs"):
        engine.stop("demo", 3)
    assert "POST /v1.51/containers/demo/stop?t=3" in stub.seen


def test_unknown_contexts_are_refused_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "nowhere")
    with pytest.raises(ConfigError, match="nowhere"):
        DockerEngine("gpu01")


def test_the_engines_clock_is_used(stub: Stub, engine: DockerEngine) -> None:
    stub.headers["Date"] = "Sun, 22 Nov 2026 10:00:00 GMT"
    assert engine._wire.now() == 1795341600.0


def test_a_container_that_went_while_podman_looked_for_it_is_not_there(stub: Stub, engine: DockerEngine) -> None:
    stub.refuse("GET .*containers/web/json", 500, "no container with ID 751c found in database: no such container")
    assert engine.inspect("web") is None
