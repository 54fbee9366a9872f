from __future__ import annotations

import socket
from typing import Any

import pytest

from llmstack.domain.instance import InstanceSpec
from llmstack.engines.docker.ports import check, free, holders
from llmstack.engines.labels import labels_of
from llmstack.errors import PreflightError

SPEC = InstanceSpec(stack="lab", service="demo", host="h", type="t", engine="docker", image="i:1", port=8080)
AUTO = InstanceSpec(stack="lab", service="demo", host="h", type="t", engine="docker", port="auto", container_port=8080)


def row(name: str, *public: int, spec: InstanceSpec | None = None) -> dict[str, Any]:
    ports = [{"PrivatePort": 80, "PublicPort": port} for port in public]
    return {"Names": [f"/{name}"], "Ports": ports, "Labels": labels_of(spec) if spec else None}


def test_published_and_promised_ports_have_holders() -> None:
    assert holders([row("a", 80, 81), row("b", spec=SPEC)]) == {80: "a", 81: "a", 8080: "b"}


def test_an_automatic_port_is_the_next_that_nobody_has() -> None:
    assert free(AUTO, [row("a", 8080), row("b", 8081)], local=False) == 8082


def test_the_instances_own_port_is_free_for_itself() -> None:
    assert free(AUTO, [row(AUTO.name, 8080)], local=False) == 8080
    check(SPEC, [row(SPEC.name, 8080)], local=True)


def test_no_port_up_to_the_last_is_an_error() -> None:
    last = InstanceSpec(
        stack="lab", service="d", host="h", type="t", engine="docker", port="auto", container_port=65535
    )
    with pytest.raises(PreflightError, match="no free port from 65535"):
        free(last, [row("a", 65535)], local=False)


def test_a_container_that_holds_the_port_is_named() -> None:
    with pytest.raises(PreflightError, match="taken by web") as raised:
        check(SPEC, [row("web", 8080)], local=False)
    assert raised.value.data == {"port": 8080, "holder": "web"}


def test_a_process_that_holds_the_port_is_named_on_this_machine_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        spec = InstanceSpec(stack="lab", service="demo", host="h", type="t", engine="docker", port=port)
        check(spec, [], local=False)
        with pytest.raises(PreflightError, match=r"taken by .*pid"):
            check(spec, [], local=True)


def test_without_a_port_there_is_nothing_to_check() -> None:
    check(InstanceSpec(stack="lab", service="d", host="h", type="t", engine="docker"), [row("a", 1)], local=True)
