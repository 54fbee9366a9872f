"""PURE: which device a model really runs on, compared with what was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from llmstack.domain.gpu import Gpu
from llmstack.domain.server import ServedModel

UNKNOWN, ON_DEMAND, FELL_BACK, LOST = "unknown", "on demand", "cpu!", "gpu-lost"
BAD = {
    FELL_BACK: "it was given a GPU, and computes on the CPU",
    LOST: "a GPU of this machine is lost (see `llmstack gpus`), and it computes on none of the others",
}

_OFFLOADED = re.compile(r"offloaded (\d{1,5})/([1-9]\d{0,4}) layers to GPU")
"""llama.cpp's own words, also in the log of what is built on it."""


def by_server(model: ServedModel | None) -> str:
    """From the server's own figures: `gpu`, `partial 60 %`, `cpu` or `unknown`."""
    if model is None or model.vram_bytes is None or not model.memory_bytes:
        return UNKNOWN
    if model.vram_bytes == 0:
        return "cpu"
    return _share(model.vram_bytes / model.memory_bytes)


def _share(share: float) -> str:
    return "gpu" if share >= 1 else f"partial {min(share, 0.99):.0%}".replace("%", " %")


def by_log(lines: Iterable[str], otherwise: str = UNKNOWN) -> str:
    """From what the server wrote when it loaded its model last; `otherwise` where it wrote nothing of it."""
    found = [match for line in lines if (match := _OFFLOADED.search(line))]
    if not found:
        return otherwise
    share = int(found[-1][1]) / int(found[-1][2])
    return _share(share) if share else "cpu"


def by_processes(gpus: Sequence[Gpu] | None, pids: Sequence[int] | None) -> str:
    """From the driver: whether one of the instance's processes holds memory on a GPU; `gpu-lost` when it does on none
    that answers, and one does not."""
    if gpus and pids and any(pid in (gpu.process_bytes or {}) for gpu in gpus for pid in pids):
        return "gpu"
    if gpus and any(gpu.trouble for gpu in gpus):
        return LOST
    if gpus is None or any(gpu.process_bytes is None for gpu in gpus):
        return UNKNOWN
    return UNKNOWN if gpus and pids is None else "cpu"


def verdict(device: str, *, gpu_wanted: bool) -> tuple[bool | None, str]:
    """Whether it is as asked (None: nobody can tell), and in words; `cpu!` is a silent fall-back."""
    if device == "cpu":
        return (False, FELL_BACK) if gpu_wanted else (True, "cpu (as asked)")
    if device == LOST and gpu_wanted:
        return False, LOST
    return (None, UNKNOWN) if device in (UNKNOWN, LOST) else (True, device)
