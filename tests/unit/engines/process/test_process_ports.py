"""Ports: decided, checked, and held by somebody with a name."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest

from llmstack.domain.instance import Instance, InstanceSpec
from llmstack.engines.process.engine import ProcessEngine
from llmstack.errors import PreflightError

Make = Callable[..., InstanceSpec]
Serve = Callable[..., Instance]


def test_the_types_own_port_is_decided_when_it_is_free(engine: ProcessEngine, make: Make, port: int) -> None:
    assert engine.decide_port(make(port="auto")) == port


def test_a_taken_port_is_passed_over(engine: ProcessEngine, make: Make, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        assert engine.decide_port(make(port="auto")) > port


def test_no_two_instances_get_one_port(engine: ProcessEngine, make: Make, port: int) -> None:
    one, two, three = (make(service=name, port="auto") for name in ("one", "two", "three"))
    engine.create(one.with_decided(port=str(engine.decide_port(one))))
    second = engine.decide_port(two)
    assert second > port
    assert engine.decide_port(three) > second
    assert engine.decide_port(one) == port


def test_no_port_at_all_is_told(engine: ProcessEngine, make: Make) -> None:
    with socket.create_server(("127.0.0.1", 65535)), pytest.raises(PreflightError, match="no free port from 65535"):
        engine.decide_port(make(port="auto", container_port=65535))


def test_without_a_wish_some_port_is_found(engine: ProcessEngine, make: Make) -> None:
    assert engine.decide_port(make(port="auto", container_port=None)) >= 8000


def test_a_taken_port_names_its_holder(engine: ProcessEngine, make: Make, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PreflightError) as caught:
        engine.check_port(make())
    assert f"port {port} on 127.0.0.1 is taken by" in caught.value.message
    assert f"(pid {os.getpid()})" in caught.value.message
    assert "port: auto" in str(caught.value.hint)


def test_a_port_of_another_instance_is_taken(engine: ProcessEngine, serve: Serve, make: Make) -> None:
    holder = serve()
    with pytest.raises(PreflightError, match=f"pid {holder.pid}"):
        engine.check_port(make(service="other"))


def test_the_instance_that_is_to_be_replaced_may_hold_the_port(engine: ProcessEngine, serve: Serve, make: Make) -> None:
    serve()
    engine.check_port(make())


def test_a_stopped_instance_holds_no_port(engine: ProcessEngine, make: Make, port: int) -> None:
    engine.create(make())
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PreflightError):
        engine.check_port(make())


def test_no_port_needs_no_check(engine: ProcessEngine, make: Make) -> None:
    engine.check_port(make(port=None))
    engine.check_port(make(port="auto"))


def test_an_address_of_another_machine_is_told(engine: ProcessEngine, make: Make) -> None:
    with pytest.raises(PreflightError, match=r"cannot listen on 192\.0\.2\.1"):
        engine.check_port(make(bind="192.0.2.1"))


def test_both_families_of_addresses_are_tried(engine: ProcessEngine, make: Make, port: int) -> None:
    with socket.create_server(("::1", port), family=socket.AF_INET6), pytest.raises(PreflightError, match="::1"):
        engine.check_port(make(bind="::1"))
