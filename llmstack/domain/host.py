"""Machines that run instances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Host:
    """A machine of the inventory; `docker_host` is the engine's address, None means the default of this machine."""

    name: str
    vars: Mapping[str, object] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    engine: str = "docker"
    docker_host: str | None = None

    @property
    def local(self) -> bool:
        """Whether its processes and GPUs are this machine's."""
        named = self.name in ("localhost", "127.0.0.1") or self.vars.get("ansible_connection") == "local"
        return named and (self.docker_host is None or self.docker_host.startswith("unix:"))


@dataclass(frozen=True, slots=True)
class Group:
    """A group as it is written: the hosts and groups directly in it."""

    hosts: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
