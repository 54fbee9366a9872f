"""What of ours lies on a host beside the instances' own life: what `uninstall` lists and takes away."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LeftoverKind(StrEnum):
    """What it is; they go in this order, since each may be in use by one before it."""

    CONTAINER = "container"
    NETWORK = "network"
    VOLUME = "volume"
    IMAGE = "image"
    FOLDER = "folder"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """`name` finds it (a path for folders and files); `what` says what it is for; `stack` is None for what all stacks
    of a host share."""

    kind: LeftoverKind
    name: str
    what: str
    stack: str | None = None
    size_bytes: int | None = None
