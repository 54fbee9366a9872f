"""NVIDIA GPUs of this machine, by the driver's own library (NVML)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from llmstack.domain.gpu import Gpu

# NVML counts initialisations, and pynvml's lookup cache is shared: one look at a time.
_turn = threading.Lock()

_NOTHING_HERE = {9, 12, 28}
"""Driver not loaded, library not found, no GPU found: this machine has no NVIDIA GPU to use."""

_WORDS = {
    4: "this user may not ask the NVIDIA driver; look at the rights of /dev/nvidia*",
    15: "the GPU is lost (it fell off the bus); reboot the machine and look at its cooling and power",
    16: "the GPU must be reset; reboot the machine",
    18: "the NVIDIA driver was updated while the old one is still loaded; reboot, or reload its kernel modules",
}


def bindings() -> Any:
    """NVIDIA's own Python module; 65 ms, so only when somebody asks."""
    import pynvml

    return pynvml


class NvmlReader:
    """Implements `protocols.GpuReader` for the machine it runs on.

    Must run outside containers, since processes are named by host pids. After a look that returned None, `reason`
    says in words why; it is None otherwise.
    """

    def __init__(self) -> None:
        self.reason: str | None = None

    def gpus(self) -> tuple[Gpu, ...] | None:
        """All GPUs; an empty tuple without NVIDIA's driver or GPUs, None when it cannot be told."""
        nvml = bindings()
        self.reason = None
        try:
            with _turn:
                return _look(nvml)
        except nvml.NVMLError as error:
            if error.value in _NOTHING_HERE:
                return ()
            self.reason = _WORDS.get(error.value, f"the NVIDIA driver answers: {error}")
            return None


def _look(nvml: Any) -> tuple[Gpu, ...]:
    nvml.nvmlInit()
    try:
        return tuple(_gpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
    finally:
        _optional(nvml, nvml.nvmlShutdown)


def _gpu(nvml: Any, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    # Unified-memory chips (GB10, Jetson) answer "not supported": the memory is the machine's.
    memory = _optional(nvml, nvml.nvmlDeviceGetMemoryInfo, handle)
    return Gpu(
        index=index,
        uuid=nvml.nvmlDeviceGetUUID(handle),
        name=nvml.nvmlDeviceGetName(handle),
        memory_total_bytes=memory and memory.total,
        memory_used_bytes=memory and memory.used,
        process_bytes=_processes(nvml, handle),
    )


def _processes(nvml: Any, handle: Any) -> dict[int, int | None] | None:
    """Bytes by host pid. A process that both computes and draws stands in both lists with the same total. None where
    the driver does not list those that compute (WSL, no permission)."""
    # Without the `_v3`, pynvml raises something that is no NVMLError when the driver is too old for it.
    compute = _optional(nvml, nvml.nvmlDeviceGetComputeRunningProcesses_v3, handle)
    if compute is None:
        return None
    graphics = _optional(nvml, nvml.nvmlDeviceGetGraphicsRunningProcesses_v3, handle) or []
    sizes: dict[int, int | None] = {}
    for process in [*graphics, *compute]:
        known = [size for size in (sizes.get(process.pid), process.usedGpuMemory) if size is not None]
        sizes[process.pid] = max(known, default=None)
    return sizes


def _optional(nvml: Any, call: Callable[..., Any], *args: Any) -> Any:
    """What `call` answers, None when this driver or card cannot tell."""
    try:
        return call(*args)
    except nvml.NVMLError:
        return None
