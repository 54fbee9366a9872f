"""Limits and devices of an instance."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an instance may use; None means no limit. `gpus` holds "all", a count as text, or device ids."""

    memory_bytes: int | None = None
    cpus: float | None = None
    shm_bytes: int | None = None
    pids: int | None = None
    gpus: tuple[str, ...] = ()
