"""What an engine tells of an instance at the moment when it happens."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class What(StrEnum):
    """What happened; `stopped` is what somebody asked for, `died` any end, `out_of_memory` that a process in it was
    killed for lack of memory, `other` that it is worth a look."""

    CREATED = "created"
    STARTED = "started"
    STOPPED = "stopped"
    DIED = "died"
    OUT_OF_MEMORY = "out_of_memory"
    REMOVED = "removed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to an instance, or to any other container; `stack` is None where none is told."""

    container_name: str
    what: What
    stack: str | None = None
