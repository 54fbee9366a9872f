from __future__ import annotations

import pytest

from llmstack.engines.docker.refusal import LONGEST, Refusal, explain
from llmstack.errors import FetchError, LlmstackError, NoMatchError, PreflightError, UnreachableError


def refusal(status: int | None, text: str, **more: type[LlmstackError]) -> Refusal:
    return Refusal("start demo", "gpu01", "DOCKER_HOST unix:///x.sock", status, text, **more)


@pytest.mark.parametrize(
    ("status", "text", "kind", "hint"),
    [
        (None, "FileNotFoundError(2, 'No such file or directory')", UnreachableError, "systemctl start docker"),
        (None, "ConnectionRefusedError(111, 'Connection refused')", UnreachableError, "systemctl start docker"),
        (None, "PermissionError(13, 'Permission denied')", UnreachableError, "usermod -aG docker"),
        (None, "Read timed out. (read timeout=10)", UnreachableError, "busy"),
        (None, "SSLError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]')", UnreachableError, "DOCKER_TLS_VERIFY"),
        (None, "Failed to resolve 'h' ([Errno -2] Name or service not known)", UnreachableError, "correct the address"),
        (None, "Response ended prematurely", UnreachableError, "start"),
        (None, "('Connection aborted.', ConnectionResetError(104, 'reset by peer'))", UnreachableError, "run this"),
        (404, "404 Client Error for http://gpu01:80/_ping: Not Found", UnreachableError, "correct the address"),
        (400, "Client sent an HTTP request to an HTTPS server.", UnreachableError, "DOCKER_TLS_VERIFY=1"),
        (400, "client version 1.51 is too new. Maximum supported API version is 1.41", UnreachableError, "20.10"),
        (404, "No such container: demo", NoMatchError, "status"),
        (404, "no container with name or ID \"demo\" found: no such container", NoMatchError, "status"),
        (404, "No such image: x:1", FetchError, "pull"),
        (404, "x:1: image not known", FetchError, "pull"),
        (409, 'Conflict. The container name "/demo" is already in use by container "abc".', LlmstackError, "again"),
        (500, 'the container name "demo" is already in use by abc', LlmstackError, "again"),
        (500, "renaming container: UNIQUE constraint failed: ContainerConfig.Name", LlmstackError, "again"),
        (500, "Bind for 127.0.0.1:80 failed: port is already allocated", PreflightError, "another port"),
        (500, "rootlessport listen tcp 127.0.0.1:80: bind: address already in use", PreflightError, "another port"),
        (500, 'could not select device driver "" with capabilities: [[gpu]]', PreflightError, "nvidia-ctk"),
        (500, "CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=7", PreflightError, "nvidia-ctk"),
        (500, "nvidia-container-cli: initialization error: driver not loaded", PreflightError, "nvidia-smi"),
        (500, "nvidia-container-cli: device error: GPU-a: unknown device: unknown", PreflightError, "llmstack gpus"),
        (500, "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=9", PreflightError, "older image"),
        (500, "write /var/lib/docker/x: no space left on device", PreflightError, "prune"),
        (400, 'exec: "nope": executable file not found in $PATH', PreflightError, "args"),
        (400, "invalid mount config for type bind: bind source path does not exist: /x", PreflightError, "mounts"),
        (400, "Minimum memory limit allowed is 6MB", PreflightError, "resources"),
        (418, "I am a teapot", LlmstackError, "docker info"),
    ],
)  # fmt: skip
def test_each_refusal_becomes_an_error_that_says_what_to_do(
    status: int | None, text: str, kind: type[LlmstackError], hint: str
) -> None:
    error = explain(refusal(status, text))
    assert type(error) is kind
    assert "gpu01" in error.message
    assert hint in (error.hint or "")


def test_nothing_is_started_here_for_an_address_elsewhere() -> None:
    error = explain(Refusal("start demo", "gpu01", "DOCKER_HOST tcp://gpu01:1", None, "Connection refused"))
    assert (error.hint or "").startswith("let its engine listen there")


@pytest.mark.parametrize(
    ("status", "text", "what", "hint"),
    [
        (500, 'Get "https://r/v2/": dial tcp: lookup r on 10.0.0.1:53: no such host', "cannot be reached", "proxy"),
        (500, 'Get "http://r/v2/": dial tcp 10.0.0.1:443: connect: connection refused', "cannot be reached", "network"),
        (404, "manifest for r/app:nope not found: manifest unknown: manifest unknown", "no such image", "`image:`"),
        (500, "Head https://r/v2/x/manifests/1: no basic auth credentials", "refuses", "docker login"),
        (404, "pull access denied for x, repository does not exist", "refuses", "docker login"),
        (500, "write /var/lib/docker/x: no space left on device", "disk of the engine is full", "prune"),
    ],
)
def test_a_refused_pull_says_whose_fault_it_is(status: int, text: str, what: str, hint: str) -> None:
    error = explain(Refusal("pull x:1", "gpu01", "unix:///x.sock", status, text, FetchError))
    assert type(error) is FetchError
    assert what in error.message
    assert hint in (error.hint or "")


def test_a_taken_name_is_a_conflict_on_docker_and_podman() -> None:
    for status in (409, 500):
        assert explain(refusal(status, "the name demo is already in use by abc")).data == {"conflict": True}


def test_what_no_rule_knows_takes_the_class_of_its_caller() -> None:
    assert type(explain(refusal(500, "no basic auth credentials", otherwise=FetchError))) is FetchError
    assert type(explain(refusal(500, "no space left on device", otherwise=FetchError))) is FetchError


def test_an_endless_text_is_cut_to_one_line() -> None:
    message = explain(refusal(500, "boom\n" * 1000)).message
    assert "\n" not in message
    assert len(message) < LONGEST + 100
