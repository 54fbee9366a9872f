"""NVIDIA GPUs of this machine, by the driver's own library (NVML)."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from llmstack.domain.apart import apart

if TYPE_CHECKING:
    from llmstack.domain.gpu import Gpu, Owner

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


_NOT_SUPPORTED, _NOT_FOUND, _LOST = 3, 6, (15, 16)

_PATIENCE_S = 30.0
"""Of many cards that nobody uses, each needs a second or two before it answers."""
_HANGS = "the NVIDIA driver does not answer; look at the kernel's log (dmesg), and reboot"


def bindings() -> Any:
    """NVIDIA's own Python module; 65 ms, so only when somebody asks."""
    import pynvml

    return pynvml


def _no_driver() -> bool:
    """Whether the driver's library is certainly not there: a look that costs 2 ms."""
    if "pynvml" in sys.modules or sys.platform != "linux":
        return False
    import ctypes

    try:
        ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return True
    return False


class NvmlReader:
    """Implements `protocols.GpuReader` for the machine it runs on.

    Must run outside containers, since processes are named by host pids. After a look that returned None, `reason`
    says in words why; it is None otherwise.
    """

    def __init__(self) -> None:
        self.reason: str | None = None

    def gpus(self) -> tuple[Gpu, ...] | None:
        """All GPUs; an empty tuple without NVIDIA's driver or GPUs, None when it cannot be told."""
        self.reason = None
        if _no_driver():
            return ()
        try:
            # A driver may hang for good, where no signal reaches.
            found, self.reason = apart(_ask, "nvml").result(_PATIENCE_S)
        except TimeoutError:
            found, self.reason = None, _HANGS
        return found

    def owner(self, pid: int) -> Owner:
        """Whose a process is."""
        from llmstack.gpu.owners import owner_of

        return owner_of(pid)


def _ask() -> tuple[tuple[Gpu, ...] | None, str | None]:
    """All GPUs, or why they cannot be told."""
    nvml = bindings()
    try:
        with _turn:
            return _look(nvml), None
    except nvml.NVMLError as error:
        return ((), None) if error.value in _NOTHING_HERE else (None, _words(error))


def _words(error: Any) -> str:
    return _WORDS.get(error.value, f"the NVIDIA driver answers: {error}")


def _look(nvml: Any) -> tuple[Gpu, ...]:
    nvml.nvmlInit()
    try:
        return tuple(_gpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
    finally:
        _optional(nvml, nvml.nvmlShutdown)


def _gpu(nvml: Any, index: int) -> Gpu:
    """One card; one that is lost is told as such, and takes nothing from the others."""
    from llmstack.domain.gpu import Gpu

    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(index)
        uuid, name = nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle)
    except nvml.NVMLError as error:
        if error.value not in _LOST:
            raise
        return Gpu(index, None, None, process_bytes=None, trouble=_words(error))
    memory, unified, trouble = _memory(nvml, handle)
    load = _optional(nvml, nvml.nvmlDeviceGetUtilizationRates, handle)
    mode = _optional(nvml, nvml.nvmlDeviceGetMigMode, handle)
    power = _optional(nvml, nvml.nvmlDeviceGetPowerUsage, handle)
    limit = _optional(nvml, nvml.nvmlDeviceGetEnforcedPowerLimit, handle)
    return Gpu(
        index=index,
        uuid=uuid,
        name=name,
        memory_total_bytes=memory and memory.total,
        memory_used_bytes=memory and memory.used,
        process_bytes=_processes(nvml, handle),
        process_percent=_loads(nvml, handle),
        utilization_percent=load and int(load.gpu),
        temperature_c=_optional(nvml, nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU),
        power_watts=power and power / 1000,
        power_limit_watts=limit and limit / 1000,
        unified=unified,
        mig=bool(mode and mode[0]),
        trouble=trouble,
    )


def _memory(nvml: Any, handle: Any) -> tuple[Any, bool, str | None]:
    """Its memory, whether that is the machine's (unified-memory chips, as GB10 and Jetson, answer "not supported"), and
    in words that the card was lost."""
    try:
        return nvml.nvmlDeviceGetMemoryInfo(handle), False, None
    except nvml.NVMLError as error:
        return None, error.value == _NOT_SUPPORTED, _words(error) if error.value in _LOST else None


def _loads(nvml: Any, handle: Any) -> dict[int, int] | None:
    """Percent by host pid, as of the last sample of each; an idle card has no samples."""
    try:
        samples = nvml.nvmlDeviceGetProcessUtilization(handle, 0)
    except nvml.NVMLError as error:
        return {} if error.value == _NOT_FOUND else None
    return {sample.pid: int(sample.smUtil) for sample in sorted(samples, key=lambda sample: sample.timeStamp)}


def _processes(nvml: Any, handle: Any) -> dict[int, int | None] | None:
    """Bytes by host pid. A process that both computes and draws stands in both lists with the same total. None where
    the driver does not list those that compute (WSL, no permission)."""
    # Without the `_v3`, pynvml raises something that is no NVMLError when the driver is too old for it.
    compute = _optional(nvml, nvml.nvmlDeviceGetComputeRunningProcesses_v3, handle)
    if compute is None:
        return None
    graphics = _optional(nvml, nvml.nvmlDeviceGetGraphicsRunningProcesses_v3, handle) or []
    shared = _optional(nvml, nvml.nvmlDeviceGetMPSComputeRunningProcesses_v3, handle) or []
    sizes: dict[int, int | None] = {}
    for process in [*graphics, *shared, *compute]:
        known = [size for size in (sizes.get(process.pid), process.usedGpuMemory) if size is not None]
        sizes[process.pid] = max(known, default=None)
    return sizes


def _optional(nvml: Any, call: Callable[..., Any], *args: Any) -> Any:
    """What `call` answers, None when this driver or card cannot tell."""
    try:
        return call(*args)
    except nvml.NVMLError:
        return None
