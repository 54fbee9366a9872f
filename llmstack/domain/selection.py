"""What the user picked, and how a run behaves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Names picked on the command line; empty tuples pick everything. Names narrow actions, never change a spec."""

    models: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Nothing was picked, so all is meant."""
        return not (self.models or self.services or self.hosts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Paths and limits of a run; None means the default place. `store` ":memory:" keeps nothing."""

    inventory: str | None = None
    store: str | None = None
    forks: int = 8
    timeout_s: float | None = None
    lock_wait_s: float = 0.0
    command: str = ""
