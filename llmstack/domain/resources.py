"""Limits and devices of an instance."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmstack.domain.doc import doc


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an instance may use; None means no limit. `gpus` holds "all", a count as text, or device ids."""

    memory_bytes: int | None = field(
        default=None, metadata=doc("Memory, at least 6MiB; with its unit.", "8GiB", key="memory", written=str)
    )
    cpus: float | None = field(default=None, metadata=doc("CPUs.", 2, 0.5))
    shm_bytes: int | None = field(
        default=None, metadata=doc("Shared memory; with its unit.", "64MiB", key="shm", written=str)
    )
    pids: int | None = field(default=None, metadata=doc("Processes and threads.", 200))
    gpus: tuple[str, ...] = field(
        default=(),
        metadata=doc("`all`, how many, or a list of ids.", "all", 1, ["0", "GPU-1a"], written=str | tuple[str, ...]),
    )
