"""Facts about GPUs; unknown is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Gpu:
    """One device and the memory each process (by host pid) holds on it.

    `process_bytes` is None when its processes cannot be told, and empty when there is none.
    """

    index: int
    uuid: str
    name: str
    memory_total_bytes: int | None = None
    memory_used_bytes: int | None = None
    process_bytes: Mapping[int, int | None] | None = field(default_factory=dict)
