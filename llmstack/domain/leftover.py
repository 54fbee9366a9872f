"""What of ours lies on a host beside the instances' own life: what `uninstall` lists and takes away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from llmstack.domain.target import Target
from llmstack.errors import LlmstackError


class LeftoverKind(StrEnum):
    """What it is; they go in this order, since each may be in use by one before it."""

    CONTAINER = "container"
    NETWORK = "network"
    VOLUME = "volume"
    IMAGE = "image"
    FOLDER = "folder"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Leftover:
    """`name` finds it (a path for folders and files); `what` says what it is for; `stack` is None for what all stacks
    of a host share."""

    kind: LeftoverKind
    name: str
    what: str
    stack: str | None = None
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remnant:
    """A leftover, and the host and engine it is on; `engine` is None for files of this machine."""

    host: str
    engine: str | None
    leftover: Leftover

    @property
    def target(self) -> Target:
        """`name@host`."""
        return Target(self.leftover.name, self.host)

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        return {"target": str(self.target), "host": self.host, "engine": self.engine, **asdict(self.leftover)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """Everything that is left on the hosts that were `asked`; `lost` holds why an engine (host, kind) that is needed
    could not be, `unknown` the hosts with such a one, or with one that nothing needs."""

    items: tuple[Remnant, ...] = ()
    lost: Mapping[tuple[str, str], LlmstackError] = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
