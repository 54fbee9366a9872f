"""Limits and devices of an instance."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from llmstack.domain.doc import doc

Auto = Literal["auto"]
AUTO: Auto = "auto"
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What an instance may use; None means no limit, "auto" one that is decided when it is made. `gpus` holds "auto",
    "all", a count as text, or device ids."""

    memory_bytes: int | Auto | None = doc(
        "Memory, at least 6MiB, with its unit; or `auto`, by the model's size.", "8GiB", key="memory", written=str
    )
    cpus: float | Auto | None = doc("CPUs, or `auto`; the server gets as many threads.", 2, 0.5, AUTO)
    shm_bytes: int | Auto | None = doc("Shared memory, with its unit, or `auto`.", "64MiB", key="shm", written=str)
    pids: int | Auto | None = doc("Processes and threads, or `auto`.", 200, AUTO)
    gpus: tuple[str, ...] = doc(
        "`all`, how many, a list of ids, or `auto`: the smallest that has room now.",
        *("all", AUTO, 1, ["0", "GPU-1a"]),
        default=(),
        written=str | tuple[str, ...],
    )

    @property
    def autos(self) -> tuple[str, ...]:
        """The names of the fields that are left open."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name) in (AUTO, (AUTO,)))


def gib(size_bytes: float) -> str:
    """`7.4 GiB`, `512 MiB`."""
    return f"{size_bytes / GIB:.1f} GiB" if size_bytes >= GIB else f"{size_bytes / (1 << 20):.0f} MiB"
