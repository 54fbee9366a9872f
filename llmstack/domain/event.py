"""One thing that happened: the only currency between the core and screen, JSON and store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from llmstack.domain.target import Target


class EventType(StrEnum):
    """What an event tells; `rung` and `progress` are steps on the way to a `result`, a `change` is what somebody or
    something else did."""

    PLAN = "plan"
    START = "start"
    PROGRESS = "progress"
    RUNG = "rung"
    RESULT = "result"
    WARNING = "warning"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Event:
    """`ts` is seconds since the epoch; `data` holds JSON-ready facts of the event's type, or its domain value under
    the type's own name (`rung`, `result`, `progress`; `difference` of a change). `run` is the run that the store notes
    it for, if any."""

    ts: float
    type: EventType
    task: str
    target: Target | None = None
    message: str = ""
    data: Mapping[str, object] = field(default_factory=dict)
    run: str | None = None

    def as_json(self) -> dict[str, object]:
        """JSON-ready record, as far as its data are."""
        target = str(self.target) if self.target else None
        return {
            "ts": rfc3339(self.ts),
            "type": self.type.value,
            "target": target,
            "message": self.message,
            "data": self.data,
        }


class Nobody:
    """A listener that hears nothing."""

    def emit(self, event: Event) -> None:
        """Take one event."""


def rfc3339(ts: float) -> str:
    """`2026-03-07T09:12:00.000Z`: seconds since the epoch, for programs."""
    return datetime.fromtimestamp(ts, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
