from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from llmstack.domain.instance import InstanceSpec
from llmstack.engines.docker import DockerEngine
from tests.desk import free_port
from tests.rig.host import RigHost

SERVE = "mkdir -p /w; echo {words} > /w/index.html; exec httpd -f -p {{port}} -h /w"


@pytest.fixture
def engine(in_rig: RigHost) -> Iterator[DockerEngine]:
    """The rig's engine; the test is in its network."""
    made = DockerEngine("localhost", in_rig.address)
    yield made
    made.close()


@pytest.fixture
def web(rig: RigHost) -> Callable[..., InstanceSpec]:
    """Specs of a small web server."""
    port = free_port()
    base = InstanceSpec(
        stack="lab", service="web", host="localhost", type="container", engine="docker", image=rig.busybox()
    )

    def make(service: str = "web", words: str = "hello", **changes: Any) -> InstanceSpec:
        command = ("sh", "-c", SERVE.format(words=words))
        return replace(base, service=service, command=command, **{"port": port, "container_port": 80, **changes})

    return make
