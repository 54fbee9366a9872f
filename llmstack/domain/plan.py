"""The ordered, reasoned difference between wanted and observed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from llmstack.domain.instance import Instance, InstanceSpec, Need
from llmstack.domain.service import ModelSpec, Placement
from llmstack.domain.tabular import Tabular
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
    TIDY = "tidy"
    BACKUP = "backup"
    FETCH = "fetch"
    KEEP = "keep"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"

    @property
    def changes(self) -> bool:
        """Whether it writes anything."""
        return self not in (ActionKind.KEEP, ActionKind.REFUSED, ActionKind.UNREACHABLE)

    @property
    def takes_down(self) -> bool:
        """Whether what runs there is away, for a while or for good."""
        return self in _TAKES_DOWN


_TAKES_DOWN = (
    *(ActionKind.REPLACE, ActionKind.RESTART, ActionKind.BACKUP),
    *(ActionKind.STOP, ActionKind.UNLOAD, ActionKind.REMOVE),
)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs, as text a person can read; secrets are masked."""

    field: str
    before: str
    after: str

    @property
    def label(self) -> str:
        """What a person calls the field."""
        return self.field.removeprefix("resources.").removesuffix("_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an action costs; None is unknown (a memory of None has no limit).

    `downtime_s` is how long the last start of that spec took; `dependants` are the services that go without it
    meanwhile; `in_flight` the requests it answers right now.
    """

    fetch_bytes: int | None = None
    downtime_s: float | None = None
    memory_before_bytes: int | None = None
    memory_after_bytes: int | None = None
    dependants: tuple[str, ...] = ()
    in_flight: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do with one target, and why.

    `placement` is the wanted service (None for what is removed and not in the inventory), `spec` what to create,
    `observed` what is there, `model` the model of a fetch, `needs` what must be fetched first, `error` why it is
    refused or unreachable, `price` what it costs (None for what changes nothing).
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
    price: Price | None = None

    @property
    def names(self) -> dict[str, object]:
        """JSON-ready names of what it is about, as far as they are known: also the model of a service of its own."""
        names, placement = self.target.as_json(), self.placement
        if placement:
            model = placement.models[0].name if placement.own_model and placement.models else None
            names |= {"service": placement.service.name, "model": names["model"] or model}
        return names

    def as_json(self) -> dict[str, object]:
        """JSON-ready record of a plan's row."""
        return {
            "action": self.kind.value,
            **self.names,
            "reason": self.reason,
            "changes": [asdict(change) for change in self.changes],
            "needs": [{"kind": n.kind, "name": n.name, "size_bytes": n.size_bytes} for n in self.needs],
            "price": asdict(self.price) if self.price else None,
        }


@dataclass(frozen=True, slots=True)
class Plan(Tabular):
    """Actions in the order in which they apply: what others depend on comes first (last, when going down)."""

    columns = ("kind", "target", "reason")
    entries = "actions"

    actions: tuple[Action, ...] = ()

    @property
    def changes(self) -> tuple[Action, ...]:
        """The actions that write."""
        return tuple(action for action in self.actions if action.kind.changes)

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        return {"actions": [action.as_json() for action in self.actions]}
