"""What the store remembers, as values; times are seconds since the epoch, unknown is None."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from llmstack.domain.event import Event, rfc3339
from llmstack.domain.instance import State
from llmstack.domain.ladder import Ladder
from llmstack.domain.tabular import Tabular
from llmstack.domain.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel(Tabular):
    """One model in one container on one host; (host, container_name, name) is its key.

    `last_updated` is when a change of it (a restart is one) was last seen. `stopped_on_purpose` is None while it is
    active, and when nobody saw how it ended. `container_id`, `started_at`, `ended_at` (times of its host), `restarts`
    and `out_of_memory` are as its engine told them last.
    """

    columns = ("name", "host", "container_name", "status", "installed_version", "url")

    name: str
    host: str
    container_name: str
    state: State = State.ABSENT
    service: str | None = None
    stack: str | None = None
    engine: str | None = None
    port: int | None = None
    url: str | None = None
    installed_version: str | None = None
    stopped_on_purpose: bool | None = None
    container_id: str | None = None
    started_at: float | None = None
    ended_at: float | None = None
    restarts: int | None = None
    out_of_memory: bool | None = None
    last_updated: float | None = None
    created_at: float | None = None

    @property
    def status(self) -> str:
        """`active` for ready and degraded, else `inactive`."""
        return "active" if self.state.active else "inactive"

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        return {**{field.name: getattr(self, field.name) for field in fields(self)}, "status": self.status}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun(Tabular):
    """One run of a task by `user` on the machine `controller`; `ended_at`, `ms` and `exit_code` are None while it runs,
    and for ever when it was `killed`, which is known of a `process` of this machine. `events` are None where they were
    not asked for.

    `items` holds each outcome as its JSON record, of a run without an end those that it had come to; a target on which
    it was still at work has the status None.
    """

    columns = ("id", "task", "command", "user", "controller", "ms", "exit_code")

    id: str
    task: str
    command: str
    started_at: float
    ended_at: float | None = None
    ms: float | None = None
    exit_code: int | None = None
    user: str | None = None
    controller: str | None = None
    process: str | None = None
    killed: bool = False
    items: tuple[Mapping[str, Any], ...] = ()
    events: tuple[Event, ...] | None = None

    @property
    def counts(self) -> Counter[str]:
        """How many targets came to each status."""
        return Counter(item["status"] for item in self.items if item["status"])

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        record = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "process"}
        events = None if self.events is None else [event.as_json() for event in self.events]
        ended_at = None if self.ended_at is None else rfc3339(self.ended_at)
        moments = {"started_at": rfc3339(self.started_at), "ended_at": ended_at}
        return {**record, **moments, "counts": self.counts, "events": events}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVersion:
    """A version of a target that was proved ready, last at `ready_at`. `source` is what the inventory calls it (an
    image, a model), `digest` what means just that for ever, `version` what its server calls itself."""

    target: Target
    source: str
    digest: str
    version: str | None = None
    installed_at: float | None = None
    ready_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLadder:
    """The last climb of a target and when it was; answers come back without their text, which is not kept."""

    ladder: Ladder
    container_name: str
    at: float
