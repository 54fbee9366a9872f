"""What an engine says of itself."""

from __future__ import annotations

import socket
from pathlib import Path

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
