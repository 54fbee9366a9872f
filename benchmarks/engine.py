"""The Docker engine that all subjects of a run work with: a host of the test rig, and an image so small that only the
tools differ."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.rig.host import RigHost
from tests.rig.kinds import DEFAULT, KINDS, Kind

COUNT = 40
COMMAND = ["sleep", "86400"]
STACK = "bench"
CALM_S = 2.0
"""Between up and down: a program that has hardly begun may not hear a signal yet, whoever sends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The engine; `image` has one static busybox."""

    host: RigHost
    image: str

    @property
    def about(self) -> str:
        """For the document."""
        return f"Docker {self.host.api.version()['Version']}, in a container of its own on this machine"

    def expect(self, stem: str, count: int) -> None:
        """Raises SystemExit unless so many containers run whose name holds `stem`."""
        found = len(self.host.api.containers(filters={"name": stem}))
        if found != count:
            raise SystemExit(f"{found} containers of {stem} run, not {count}")


@contextmanager
def bench(kind: Kind = KINDS[DEFAULT]) -> Iterator[Bench]:
    """The engine, which is gone in the end with all that is in it."""
    host = RigHost(kind)
    try:
        yield Bench(host=host, image=host.busybox())
    finally:
        host.close()


def names() -> list[str]:
    """Of the services."""
    return [f"c{number:02}" for number in range(COUNT)]
