"""PURE: which device a model really runs on, compared with what was asked for."""

from __future__ import annotations

from collections.abc import Sequence

from llmstack.domain.gpu import Gpu
from llmstack.domain.server import ServedModel

UNKNOWN = "unknown"


def by_server(model: ServedModel | None) -> str:
    """From the server's own figures: `gpu`, `partial 60 %`, `cpu` or `unknown`."""
    if model is None or model.vram_bytes is None or not model.memory_bytes:
        return UNKNOWN
    if model.vram_bytes == 0:
        return "cpu"
    share = model.vram_bytes / model.memory_bytes
    return "gpu" if share >= 1 else f"partial {min(share, 0.99):.0%}".replace("%", " %")


def by_processes(gpus: Sequence[Gpu] | None, pids: Sequence[int] | None) -> str:
    """From the driver: whether one of the instance's processes holds memory on a GPU."""
    if gpus is None or any(gpu.process_bytes is None for gpu in gpus):
        return UNKNOWN
    if not gpus:
        return "cpu"
    if pids is None:
        return UNKNOWN
    return "gpu" if any(pid in (gpu.process_bytes or {}) for gpu in gpus for pid in pids) else "cpu"


def verdict(device: str, *, gpu_wanted: bool) -> tuple[bool | None, str]:
    """Whether it is as asked (None: nobody can tell), and in words; `cpu!` is a silent fall-back."""
    if device == UNKNOWN:
        return None, UNKNOWN
    if device == "cpu":
        return (False, "cpu!") if gpu_wanted else (True, "cpu (as asked)")
    return True, device
