"""The ordered, reasoned difference between wanted and observed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from llmstack.domain.instance import Instance, InstanceSpec, Need
from llmstack.domain.service import ModelSpec, Placement
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError


class ActionKind(StrEnum):
    """What is to be done with a target. `refused` says why a verb cannot apply; `unreachable` that nobody can tell."""

    CREATE = "create"
    REPLACE = "replace"
    START = "start"
    RESTART = "restart"
    STOP = "stop"
    LOAD = "load"
    UNLOAD = "unload"
    REMOVE = "remove"
    FETCH = "fetch"
    KEEP = "keep"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"

    @property
    def changes(self) -> bool:
        """Whether it writes anything."""
        return self not in (ActionKind.KEEP, ActionKind.REFUSED, ActionKind.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs, as text a person can read; secrets are masked."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do with one target, and why.

    `placement` is the wanted service (None for what is removed and not in the inventory), `spec` what to create,
    `observed` what is there, `model` the model of a fetch, `needs` what must be fetched first, `error` why it is
    refused or unreachable.
    """

    kind: ActionKind
    target: Target
    reason: str
    changes: tuple[FieldChange, ...] = ()
    placement: Placement | None = None
    spec: InstanceSpec | None = None
    observed: Instance | None = None
    model: ModelSpec | None = None
    needs: tuple[Need, ...] = ()
    error: LlmstackError | None = None

    def as_json(self) -> dict[str, object]:
        """JSON-ready record of a plan's row."""
        return {
            "action": self.kind.value,
            "target": str(self.target),
            "name": self.target.name,
            "host": self.target.host,
            "reason": self.reason,
            "changes": [{"field": c.field, "before": c.before, "after": c.after} for c in self.changes],
            "needs": [{"kind": n.kind, "name": n.name, "size_bytes": n.size_bytes} for n in self.needs],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in the order in which they apply: what others depend on comes first (last, when going down)."""

    actions: tuple[Action, ...] = ()

    @property
    def changes(self) -> tuple[Action, ...]:
        """The actions that write."""
        return tuple(action for action in self.actions if action.kind.changes)
