"""Volumes of engines that the rig does not have: broken off, and too old."""

from __future__ import annotations

import pytest

from llmstack.domain.instance import InstanceSpec, Mount
from llmstack.engines import tars
from llmstack.engines.docker import DockerEngine
from llmstack.engines.labels import labels_of
from llmstack.errors import FetchError
from tests.unit.engines.docker.stub import Stub

SPEC = InstanceSpec(
    stack="lab",
    service="page",
    host="gpu01",
    type="t",
    engine="docker",
    image="i:1",
    mounts=(Mount(source="data", target="/data", volume=True),),
)


def there(stub: Stub) -> None:
    state = {"Status": "exited", "ExitCode": 0}
    found = {"Id": "1", "Name": f"/{SPEC.name}", "State": state, "Config": {"Labels": labels_of(SPEC)}}
    stub.on(f"GET .*/containers/{SPEC.name}/json", 200, found)


def test_a_podman_that_cannot_export_volumes_says_so(stub: Stub, engine: DockerEngine) -> None:
    stub.headers["Server"] = "Libpod/4.3.1"
    there(stub)
    with pytest.raises(FetchError, match=r"cannot read /data of llmstack-lab-page \(Podman can from 5\.6 on\)"):
        list(engine.read_volumes(SPEC.name))


@pytest.mark.parametrize("body", [b"", b"\0" * 512, b"x" * 512 + tars.END])
def test_an_answer_that_is_no_whole_archive_is_an_error(stub: Stub, engine: DockerEngine, body: bytes) -> None:
    there(stub)
    stub.on("GET .*/archive", 200, body)
    with pytest.raises(FetchError, match="/data of llmstack-lab-page is"):
        list(engine.read_volumes(SPEC.name))


def test_an_engine_that_does_not_know_the_container_path_says_so(stub: Stub, engine: DockerEngine) -> None:
    there(stub)
    stub.refuse("GET .*/archive", 500, "input/output error")
    with pytest.raises(FetchError, match="cannot read /data of llmstack-lab-page on gpu01: input/output error"):
        list(engine.read_volumes(SPEC.name))
