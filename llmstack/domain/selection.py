"""What the user picked, and how a run behaves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Names picked on the command line; empty tuples pick everything. Names narrow actions, never change a spec.

    `hosts` holds patterns of hosts and groups; `exclude` names of any kind that are left out, also as dependencies;
    `tags` keeps what has one of them.
    """

    models: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Nothing was picked, so all is meant."""
        return not (self.models or self.services or self.hosts or self.exclude or self.tags)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a verb goes about it: `check` only shows the plan, `wait` proves each start, `orphans` takes what the
    inventory knows no more along, `re_decide` decides anew what was once decided for `auto`; `file` is a backup's."""

    check: bool = False
    wait: bool = True
    orphans: bool = False
    re_decide: bool = False
    file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Paths and limits of a run; None means the default place. `store` ":memory:" keeps nothing; `task` and `command`
    are what the user calls it; `extra` holds values that win over the inventory's, as they were typed
    (`name.key=value`, `@file`)."""

    inventory: str | None = None
    store: str | None = None
    forks: int = 8
    timeout_s: float | None = None
    lock_wait_s: float = 0.0
    task: str | None = None
    command: str = ""
    extra: tuple[str, ...] = ()


EVERYTHING, AS_USUAL = Selection(), RunOptions()
