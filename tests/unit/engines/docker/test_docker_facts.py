"""What an engine says of itself."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from llmstack.engines.docker.address import Address
from llmstack.engines.docker.facts import facts_of

HERE, THERE = Address("unix:///run/docker.sock", "x"), Address("tcp://far:2375", "x")


@pytest.mark.parametrize(
    ("name", "address", "known"),
    [(socket.gethostname(), HERE, True), ("docker-desktop", HERE, False), (socket.gethostname(), THERE, False)],
    ids=["here", "behind a socket", "elsewhere"],
)
def test_room_is_that_of_this_machine_s_own_disk_alone(
    tmp_path: Path, name: str, address: Address, known: bool
) -> None:
    facts = facts_of("docker", None, {"Name": name, "DockerRootDir": str(tmp_path)}, address)
    assert (facts.free_bytes is not None) is known
    assert facts.folder == str(tmp_path)


@pytest.mark.parametrize(
    ("more", "described", "address", "gives"),
    [
        ({}, False, HERE, False),
        ({}, True, HERE, None),
        ({}, False, THERE, None),
        ({"Name": "docker-desktop"}, False, HERE, None),
        ({"Runtimes": {"nvidia": {}}}, False, THERE, True),
        ({"DiscoveredDevices": [{"ID": "nvidia.com/gpu=0"}]}, True, HERE, True),
    ],
)
def test_that_an_engine_gives_no_gpu_is_known_of_this_machine_s_own_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: dict[str, Any],
    described: bool,
    address: Address,
    gives: bool | None,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if described:
        (tmp_path / "nvidia.yaml").touch()
    info = {"Name": socket.gethostname(), "CDISpecDirs": [str(tmp_path)], **more}
    assert facts_of("docker", None, info, address).gpu is gives
