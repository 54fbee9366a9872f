"""What an instance uses right now; unknown is None."""

from __future__ import annotations

from dataclasses import dataclass

from llmstack.domain.tabular import Tabular


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Tabular):
    """`cpu_percent` counts 100 for one core; memory is the working set, `gpu_memory_bytes` the sum over all GPUs."""

    columns = ("cpu_percent", "memory_bytes", "memory_limit_bytes", "gpu_memory_bytes")

    cpu_percent: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    gpu_memory_bytes: int | None = None
