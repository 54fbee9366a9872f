"""Fixtures for tests that need a real engine; `pytest_plugins` in `tests/conftest.py` loads them.

`rig_host` is one Docker host for the whole test session of a process; `rig` gives it to a test and takes away what the
test left; `in_rig` is the same with the test's thread inside the host's network, so that 127.0.0.1 is the host's.
`rig_of("podman-5.8")` is as `rig` with a host of another engine. `throwaway_host` may be paused, killed and filled. A
test that cannot have a host is skipped with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.rig.host import RigHost
from tests.rig.kinds import DEFAULT, KINDS


@pytest.fixture(scope="session")
def rig_hosts() -> Iterator[Callable[[str], RigHost]]:
    """One host of each kind (`kinds.KINDS`) for all tests of this process, started when a test asks for it."""
    started: dict[str, RigHost] = {}

    def of(kind: str) -> RigHost:
        if kind not in started:
            started[kind] = RigHost(KINDS[kind])
        return started[kind]

    yield of
    for host in started.values():
        host.close()


@pytest.fixture(scope="session")
def rig_host(rig_hosts: Callable[[str], RigHost]) -> RigHost:
    """The host that most tests use."""
    return rig_hosts(DEFAULT)


@pytest.fixture
def rig_of(rig_hosts: Callable[[str], RigHost]) -> Iterator[Callable[[str], RigHost]]:
    """Hosts by their kind, empty before and after the test; images stay."""
    used: set[RigHost] = set()

    def of(kind: str) -> RigHost:
        used.add(host := rig_hosts(kind))
        return host

    yield of
    for host in used:
        host.clean()


@pytest.fixture
def rig(rig_host: RigHost) -> Iterator[RigHost]:
    """The host, empty before and after the test; images stay."""
    yield rig_host
    rig_host.clean()


@pytest.fixture
def in_rig(rig: RigHost) -> Iterator[RigHost]:
    """The host, with this test in its network."""
    with rig.inside():
        yield rig


@pytest.fixture
def throwaway_host() -> Iterator[Callable[..., RigHost]]:
    """Starts hosts that this test may break."""
    started: list[RigHost] = []

    def start(**options: int) -> RigHost:
        started.append(RigHost(**options))
        return started[-1]

    yield start
    for host in started:
        host.close()
