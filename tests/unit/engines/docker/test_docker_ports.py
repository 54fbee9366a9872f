from __future__ import annotations

import errno
import re
import socket
from dataclasses import replace
from typing import Any

import pytest

from llmstack.domain.instance import InstanceSpec
from llmstack.engines import ports
from llmstack.engines.docker.ports import check, check_name, free, held, holders
from llmstack.engines.labels import labels_of
from llmstack.errors import PreflightError

SPEC = InstanceSpec(stack="lab", service="demo", host="h", type="t", engine="docker", image="i:1", port=8080)
AUTO = InstanceSpec(stack="lab", service="demo", host="h", type="t", engine="docker", port="auto", container_port=8080)


def row(name: str, *public: int, spec: InstanceSpec | None = None) -> dict[str, Any]:
    ports = [{"PrivatePort": 80, "PublicPort": port} for port in public]
    return {"Names": [f"/{name}"], "State": "running", "Ports": ports, "Labels": labels_of(spec) if spec else None}


def test_published_and_promised_ports_have_holders() -> None:
    assert holders([row("a", 80, 81), row("b", spec=SPEC)]) == {80: "a", 81: "a", 8080: "b"}


def test_an_automatic_port_is_the_next_that_nobody_has() -> None:
    assert free(AUTO, [row("a", 8080), row("b", 8081)], local=False) == 8082


def test_an_automatic_port_is_none_of_the_systems() -> None:
    assert free(replace(AUTO, container_port=80), [row("a", 8000)], local=False) == 8001


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


def test_who_publishes_it_at_another_address_or_rests_is_not_in_the_way() -> None:
    away = {**row("web", 8080), "Ports": [{"PublicPort": 8080, "IP": "192.0.2.7"}]}
    check(SPEC, [away, {**row("old", 8080), "State": "exited"}], local=False)
    with pytest.raises(PreflightError, match="taken by web"):
        check(replace(SPEC, bind="0.0.0.0"), [away], local=False)


def test_a_port_that_only_the_engine_may_open_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "bind_error", lambda *_: PermissionError(errno.EACCES, "Permission denied"))
    assert held("127.0.0.1", 80) is None


@pytest.mark.parametrize(
    ("labels", "told", "hint"),
    [
        (None, "somebody else (image box:1)", f"docker rm -f {SPEC.name}, .*adopt: {{container: {SPEC.name}}}"),
        (labels_of(replace(SPEC, stack="other")), "stack other", "another name"),
    ],
)
def test_who_has_the_name_is_told_with_the_image(labels: Any, told: str, hint: str) -> None:
    with pytest.raises(PreflightError) as raised:
        check_name(SPEC, [row("a"), {**row(SPEC.name), "Image": "box:1", "Labels": labels}])
    assert told in raised.value.message
    assert re.search(hint, raised.value.hint or "")


def test_the_name_of_one_of_the_stack_is_its_own() -> None:
    check_name(SPEC, [row("a"), row(SPEC.name, spec=SPEC)])


def test_a_process_that_holds_the_port_is_named_on_this_machine_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        spec = InstanceSpec(stack="lab", service="demo", host="h", type="t", engine="docker", port=port)
        check(spec, [], local=False)
        with pytest.raises(PreflightError, match=r"taken by .*pid"):
            check(spec, [], local=True)


def test_without_a_port_there_is_nothing_to_check() -> None:
    check(InstanceSpec(stack="lab", service="d", host="h", type="t", engine="docker"), [row("a", 1)], local=True)
