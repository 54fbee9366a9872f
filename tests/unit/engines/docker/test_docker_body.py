from __future__ import annotations

from dataclasses import replace

import pytest

from llmstack.domain.instance import InstanceSpec, Mount, Weights
from llmstack.domain.resources import Resources
from llmstack.domain.secret import Secret, seal
from llmstack.engines.docker.body import container_body, gpu_request, restart_policy
from llmstack.errors import LlmstackError, PreflightError

SPEC = InstanceSpec(
    stack="Lab",
    service="demo",
    host="h",
    type="llamacpp",
    engine="docker",
    image="i:1",
    command=("-m", "{weights}", "--host", "{listen}", "--port", "{port}"),
    env={"URL": "http://{listen}:{port}"},
    port=9000,
    container_port=8080,
    weights=Weights(source="file:m.gguf", path="/home/me/m.gguf", fingerprint="f1", size_bytes=3),
    inventory="/srv/inventory.yaml",
    depends_on=("db", "ollama"),
)


def test_words_are_filled_for_the_inside_of_a_container() -> None:
    body = container_body(SPEC)
    assert body["Cmd"] == ["-m", "/llmstack/weights/f1/m.gguf", "--host", "0.0.0.0", "--port", "8080"]
    assert body["Env"] == ["URL=http://0.0.0.0:8080"]


def test_the_port_is_published_where_bind_says() -> None:
    body = container_body(SPEC)
    assert body["HostConfig"]["PortBindings"] == {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9000"}]}
    assert body["ExposedPorts"] == {"8080/tcp": {}}
    lan = container_body(replace(SPEC, bind="0.0.0.0"))
    assert lan["HostConfig"]["PortBindings"]["8080/tcp"][0]["HostIp"] == "0.0.0.0"


def test_without_a_port_nothing_is_published() -> None:
    body = container_body(replace(SPEC, port=None, container_port=None, command=(), env={}))
    assert (body["ExposedPorts"], body["HostConfig"]["PortBindings"], body["Cmd"]) == ({}, {}, None)


def test_a_decided_port_counts_as_the_port() -> None:
    body = container_body(replace(SPEC, port="auto").with_decided(port="9001"))
    assert body["HostConfig"]["PortBindings"]["8080/tcp"][0]["HostPort"] == "9001"


def test_every_container_has_an_init_a_log_limit_a_network_and_an_alias() -> None:
    body = container_body(SPEC)
    host = body["HostConfig"]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert (host["Init"], host["NetworkMode"], body["StopTimeout"]) == (True, "llmstack-lab", 30)
    assert body["NetworkingConfig"]["EndpointsConfig"] == {"llmstack-lab": {"Aliases": ["demo"]}}
    assert "Binds" not in host


def test_mounts_and_weights() -> None:
    mounts = (Mount(source="/data", target="/d", read_only=True), Mount(source="vol", target="/v", volume=True))
    found = container_body(replace(SPEC, mounts=mounts))["HostConfig"]["Mounts"]
    assert [(each["Type"], each["Source"], each["Target"], each["ReadOnly"]) for each in found] == [
        ("bind", "/data", "/d", True),
        ("volume", "vol", "/v", False),
        ("volume", "llmstack-weights", "/llmstack/weights", True),
    ]
    assert not any("compose" in label for each in found[1:] for label in each["VolumeOptions"]["Labels"])


def test_limits_are_set_and_swap_is_not_added() -> None:
    limits = Resources(memory_bytes=2**30, cpus=1.5, shm_bytes=2**26, pids=64)
    host = container_body(replace(SPEC, resources=limits))["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (2**30, 2**30, 1_500_000_000)
    assert (host["ShmSize"], host["PidsLimit"]) == (2**26, 64)
    assert "Memory" not in container_body(SPEC)["HostConfig"]


@pytest.mark.parametrize(
    ("text", "name", "limit"),
    [("no", "no", 0), ("unless-stopped", "unless-stopped", 0), ("on-failure:3", "on-failure", 3)],
)
def test_restart_policies(text: str, name: str, limit: int) -> None:
    assert restart_policy(text) == {"Name": name, "MaximumRetryCount": limit}


@pytest.mark.parametrize(
    ("gpus", "podman", "request_"),
    [
        (("all",), False, {"Count": -1, "Capabilities": [["gpu"]]}),
        (("2",), False, {"Count": 2, "Capabilities": [["gpu"]]}),
        (("GPU-a", "GPU-b"), False, {"DeviceIDs": ["GPU-a", "GPU-b"], "Capabilities": [["gpu"]]}),
        (("nvidia.com/gpu=0",), False, {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0"]}),
        (("all",), True, {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=all"]}),
        (("2",), True, {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]}),
        (("GPU-a",), True, {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=GPU-a"]}),
    ],
)
def test_gpus_are_asked_for_so_that_none_is_silently_missing(
    gpus: tuple[str, ...], podman: bool, request_: dict[str, object]
) -> None:
    assert gpu_request(gpus, podman=podman) == request_
    assert container_body(replace(SPEC, resources=Resources(gpus=("all",))))["HostConfig"]["DeviceRequests"]


def test_secrets_are_environment_and_sealed_in_labels() -> None:
    body = container_body(replace(SPEC, secrets={"KEY": Secret("env:KEY", lambda: "hunter2")}))
    assert "KEY=hunter2" in body["Env"]
    assert "hunter2" not in str(body["Labels"])


def test_a_secret_known_only_sealed_cannot_be_given() -> None:
    with pytest.raises(LlmstackError, match="KEY"):
        container_body(replace(SPEC, secrets={"KEY": seal("hunter2")}))


def test_compose_sees_the_container_as_its_own_unless_told_not_to() -> None:
    labels = container_body(SPEC)["Labels"]
    found = {name.removeprefix("com.docker.compose."): value for name, value in labels.items() if "compose." in name}
    assert found.pop("config-hash")
    assert found.pop("version")
    assert found == {
        "project": "llmstack-lab",
        "service": "demo",
        "oneoff": "False",
        "container-number": "1",
        "project.config_files": "/srv/inventory.yaml",
        "project.working_dir": "/srv",
        "depends_on": "db:service_started:false,ollama:service_started:false",
    }
    assert not any("compose." in name for name in container_body(replace(SPEC, compose_labels=False))["Labels"])


def test_composes_hash_does_not_change_with_a_secrets_salt() -> None:
    spec = replace(SPEC, secrets={"KEY": Secret("env:KEY", lambda: "hunter2")})
    hashes = {container_body(spec)["Labels"]["com.docker.compose.config-hash"] for _ in range(2)}
    assert len(hashes) == 1


def test_a_spec_without_image_is_refused() -> None:
    with pytest.raises(PreflightError, match="demo@h has no image"):
        container_body(replace(SPEC, image=None))


def test_a_copy_of_a_volume_is_mounted_empty_in_its_place() -> None:
    mounts = (Mount(source="data", target="/d", volume=True), Mount(source="/data", target="/b"))
    first, second = (
        container_body(replace(SPEC, mounts=mounts, weights=None, command=()).with_decided(volumes=copies))
        for copies in ("", "data.2")
    )
    assert [each["Source"] for each in first["HostConfig"]["Mounts"]] == ["data", "/data"]
    assert [each["Source"] for each in second["HostConfig"]["Mounts"]] == ["data.2", "/data"]
    empty = [body["HostConfig"]["Mounts"][0]["VolumeOptions"]["NoCopy"] for body in (first, second)]
    assert empty == [False, True]
