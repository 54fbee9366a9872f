"""What `status` and `sync` found."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from llmstack.domain.instance import State
from llmstack.domain.tabular import Document, Tabular
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError


class Fate(StrEnum):
    """Why an instance is as it is: `runs` as it should, `stopped` on purpose, `paused`,
    `failed` to start and stopped again by us, `died` by itself, `crash_loop` again and
    again, `out_of_memory` killed for lack of it, `starved` only a process in it was, `restarted` by its engine,
    `started` again by somebody else or with its engine, `removed` or `replaced` by somebody else, `orphan` no longer
    in the inventory, `wanted` there and not so, `differs` from what it says."""

    RUNS = "runs"
    STOPPED = "stopped"
    PAUSED = "paused"
    FAILED = "failed"
    DIED = "died"
    CRASH_LOOP = "crash_loop"
    OUT_OF_MEMORY = "out_of_memory"
    STARVED = "starved"
    RESTARTED = "restarted"
    STARTED = "started"
    REMOVED = "removed"
    REPLACED = "replaced"
    ORPHAN = "orphan"
    WANTED = "wanted"
    DIFFERS = "differs"


FIGURES = ("cpu_percent", "memory_bytes", "memory_limit_bytes", "gpu_memory_bytes")
"""What of a row is never twice the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """One model (or companion service) on one host. `ours` is False for a stranger that serves models here; `wanted` is
    False for an orphan or stranger, `enabled` for what is durably off. `stack` is that of an
    instance of ours. `limits` says which limits were decided for it
    and why, `detail` in words what `state` alone does not (exit code, restarts), `reason` in a word why it is so, where
    that can be told."""

    model: str | None
    service: str
    host: str
    state: State
    engine: str
    device: str | None = None
    version: str | None = None
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    gpu_memory_bytes: int | None = None
    url: str | None = None
    port: int | None = None
    container_name: str | None = None
    stack: str | None = None
    restarts: int | None = None
    exit_code: int | None = None
    limits: str | None = None
    detail: str = ""
    reason: Fate | None = None
    wanted: bool = True
    enabled: bool = True
    ours: bool = True

    @property
    def target(self) -> Target:
        """`model@host`, or `service@host` for a companion."""
        return Target(self.model or self.service, self.host)

    @property
    def drifts(self) -> bool:
        """Whether it is not as the inventory wants it; what starts is on its way. A model that is off in a service that
        is not is no drift: its files may stay."""
        runs = self.state in (State.READY, State.LOADING, State.STARTING)
        if not self.wanted:
            return self.ours
        return not runs if self.enabled else runs and self.model in (None, self.service)

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        return {"target": str(self.target), **{field.name: getattr(self, field.name) for field in fields(self)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport(Document):
    """All rows; `errors` holds hosts that could not be asked. `inventory` is None when there is none."""

    columns = ("model", "service", "host", "state", "device", "version", "detail", "url")
    entries, kind = "rows", "status"

    rows: tuple[StatusRow, ...] = ()
    errors: tuple[LlmstackError, ...] = ()
    inventory: str | None = None

    def as_json(self) -> dict[str, object]:
        """With the inventory that it is of."""
        return self.document(rc=self.exit_code, inventory=self.inventory)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Tabular):
    """One thing the store had wrong, or the inventory does not know: `action` says what became of it, `reason` in a
    word what `engine` tells."""

    columns = ("target", "store", "engine", "action")

    target: Target
    store: str
    engine: str
    action: str
    reason: Fate | None = None

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "target": str(self.target)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncReport(Document):
    """All differences; `changed` counts what was repaired in the store."""

    columns = Difference.columns
    entries, kind = "differences", "sync"

    differences: tuple[Difference, ...] = ()
    changed: int = 0
    errors: tuple[LlmstackError, ...] = ()

    def as_json(self) -> dict[str, object]:
        """With how many were repaired."""
        return self.document(rc=self.exit_code, changed=self.changed)
