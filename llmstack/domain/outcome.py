"""What a run came to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from llmstack.domain.ladder import Ladder, Rung
from llmstack.domain.plan import Action
from llmstack.domain.tabular import Document
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError, exit_code_of


class Status(StrEnum):
    """What an action came to; a closed list."""

    OK = "ok"
    CHANGED = "changed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    UNHEALTHY = "unhealthy"
    WOULD_CHANGE = "would_change"


STATUS_OF_CLASS = {
    "unreachable": Status.UNREACHABLE,
    "unhealthy": Status.UNHEALTHY,
    "signal": Status.INTERRUPTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One target's outcome."""

    target: Target
    status: Status
    ms: float = 0.0
    reason: str = ""
    action: Action | None = None
    ladder: Ladder | None = None
    error: LlmstackError | None = None
    urls: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 unless an error says otherwise."""
        return self.error.exit_code if self.error else 0

    @property
    def fallen(self) -> Rung | None:
        """The rung that failed."""
        return self.ladder.fallen if self.ladder else None

    @property
    def came_to(self) -> tuple[Target, Status, Rung | None]:
        """What is no news when it is the same again."""
        return self.target, self.status, self.fallen

    def as_json(self) -> dict[str, object]:
        """JSON-ready record, one item of a run."""
        record: dict[str, object] = {
            **(self.action.names if self.action else self.target.as_json()),
            "status": self.status.value,
            "changed": self.status is Status.CHANGED,
            "ms": round(self.ms, 1),
            "reason": self.reason,
            "action": self.action.as_json() if self.action else None,
            "diff": [asdict(change) for change in self.action.changes] if self.action else [],
            "rungs": [rung.as_json() for rung in self.ladder.rungs] if self.ladder else [],
            "why": self.ladder.why.as_json() if self.ladder and self.ladder.why else None,
            "urls": list(self.urls),
        }
        return record | {"error": self.error.as_json() if self.error else None}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult(Document):
    """All outcomes of one verb; `ms` is the whole run's wall time."""

    columns = ("target", "status", "reason", "ms", "urls")
    entries, kind = "outcomes", "run"

    task: str
    outcomes: tuple[Outcome, ...] = ()
    ms: float = 0.0
    run_id: str | None = None
    interrupted: bool = False

    @property
    def errors(self) -> tuple[LlmstackError, ...]:
        """Those of its outcomes."""
        return tuple(outcome.error for outcome in self.outcomes if outcome.error)

    @property
    def exit_code(self) -> int:
        """One code for the whole run: the failures' own if they share it, else 1; 130 after Ctrl-C."""
        if self.interrupted:
            return 130
        return exit_code_of(error.exit_code for error in self.errors)

    def recap(self) -> Mapping[str, Counter[Status]]:
        """Host -> how many targets came to each status."""
        hosts: dict[str, Counter[Status]] = {}
        for outcome in self.outcomes:
            hosts.setdefault(outcome.target.host, Counter())[outcome.status] += 1
        return hosts

    def as_json(self) -> dict[str, object]:
        """With the task, the run's number and how long it took."""
        return self.document(task=self.task, run=self.run_id, rc=self.exit_code, ms=round(self.ms, 1))


def failed(target: Target, error: LlmstackError, action: Action | None = None) -> Outcome:
    """What an error means for its target."""
    status = STATUS_OF_CLASS.get(error.name, Status.FAILED)
    return Outcome(target=target, status=status, reason=error.message, action=action, error=error)
