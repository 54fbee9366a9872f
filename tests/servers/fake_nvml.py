"""A stand-in for NVIDIA's driver library, so that GPU code runs (and its failures can be tried) without a GPU.

    with fake_nvml([RTX_4090.holding({4242: 5 * GIB})]):
        NvmlReader().gpus()

`pynvml` looks each function up by name in its library object; here that is a plain Python object which writes through
the references it is handed. A function that is not there is one that the installed driver does not know. Built from
the declarations in nvidia-ml-py 13; not compared with hardware.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

GIB = 1024**3
NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND, INSUFFICIENT_SIZE, DRIVER_NOT_LOADED = 3, 4, 6, 7, 9
FUNCTION_NOT_FOUND, GPU_IS_LOST, VERSION_MISMATCH, UNKNOWN = 13, 15, 18, 999
_NO_VALUE = 0xFFFF_FFFF_FFFF_FFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeGpu:
    """One card. `processes`, `graphics` and `shared` (under MPS) hold bytes (None: the driver does not say) by host
    pid, `busy` the percent of each; `errors` the NVML code that a function answers with on this card, by its name
    (without a version suffix)."""

    name: str
    uuid: str
    total_bytes: int | None
    used_bytes: int = 0
    processes: Mapping[int, int | None] = field(default_factory=dict)
    graphics: Mapping[int, int | None] = field(default_factory=dict)
    shared: Mapping[int, int | None] = field(default_factory=dict)
    busy: Mapping[int, int] = field(default_factory=dict)
    temperature_c: int = 40
    power_mw: int | None = 30_000
    power_limit_mw: int | None = None
    mig: bool | None = None
    errors: Mapping[str, int] = field(default_factory=dict)

    def holding(self, processes: Mapping[int, int | None], graphics: Mapping[int, int | None] | None = None) -> FakeGpu:
        """The same card with these processes on it."""
        used = sum(size or 0 for size in [*processes.values(), *(graphics or {}).values()])
        return replace(self, processes=processes, graphics=graphics or {}, used_bytes=used)

    def failing(self, **errors: int) -> FakeGpu:
        """The same card with functions that answer an error code."""
        return replace(self, errors={**self.errors, **errors})


T4 = FakeGpu(
    name="Tesla T4",
    uuid="GPU-44444444-0000-0000-0000-000000000004",
    total_bytes=16106127360,
    power_limit_mw=70_000,
)
RTX_3090 = FakeGpu(
    name="NVIDIA GeForce RTX 3090",
    uuid="GPU-30900000-0000-0000-0000-000000003090",
    total_bytes=25769803776,
    power_limit_mw=350_000,
)
RTX_4090 = FakeGpu(
    name="NVIDIA GeForce RTX 4090",
    uuid="GPU-11111111-2222-3333-4444-555555555555",
    total_bytes=25757220864,
    power_limit_mw=450_000,
)
A100 = FakeGpu(
    name="NVIDIA A100-SXM4-80GB",
    uuid="GPU-a1000000-0000-0000-0000-000000000100",
    total_bytes=85899345920,
    power_limit_mw=400_000,
    mig=False,
)
H100 = FakeGpu(
    name="NVIDIA H100 80GB HBM3",
    uuid="GPU-66666666-7777-8888-9999-aaaaaaaaaaaa",
    total_bytes=85520809984,
    power_limit_mw=700_000,
    mig=False,
)
GB10 = FakeGpu(name="NVIDIA GB10", uuid="GPU-bbbbbbbb-cccc-dddd-eeee-ffffffffffff", total_bytes=None)
"""Unified memory: the driver knows no memory of the card's own, and no limit of its power."""
PROFILES = {"t4": T4, "rtx3090": RTX_3090, "rtx4090": RTX_4090, "a100": A100, "h100": H100, "gb10": GB10}


class FakeNvml:
    """What `pynvml` takes for the loaded library; `missing` names functions that this driver does not have, and
    `init_error` is what it answers to the first call."""

    def __init__(self, gpus: Sequence[FakeGpu], *, init_error: int = 0, missing: Sequence[str] = ()) -> None:
        self.gpus = tuple(gpus)
        self.init_error = init_error
        self.missing = frozenset(missing)
        self.open_sessions = 0
        # pynvml declares this one's result type on the function itself, which a bound method does not allow.
        self.nvmlErrorString = lambda code: f"error {code}".encode()

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("nvml") and name in object.__getattribute__(self, "missing"):
            raise AttributeError(name)
        return object.__getattribute__(self, name)

    def nvmlInitWithFlags(self, flags: int) -> int:
        """Open a session."""
        self.open_sessions += not self.init_error
        return self.init_error

    def nvmlShutdown(self) -> int:
        """Close a session."""
        self.open_sessions -= 1
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        """How many cards."""
        count._obj.value = len(self.gpus)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:
        """A card's handle: its index and one, as an address."""
        if code := self._error(index.value, "nvmlDeviceGetHandleByIndex"):
            return code
        ctypes.cast(handle, ctypes.POINTER(ctypes.c_void_p))[0] = index.value + 1
        return 0

    def nvmlDeviceGetUUID(self, handle: Any, buffer: Any, size: Any) -> int:
        """A card's UUID."""
        index = _index(handle)
        buffer.value = self.gpus[index].uuid.encode()
        return self._error(index, "nvmlDeviceGetUUID")

    def nvmlDeviceGetName(self, handle: Any, buffer: Any, size: Any) -> int:
        """A card's name."""
        index = _index(handle)
        buffer.value = self.gpus[index].name.encode()
        return self._error(index, "nvmlDeviceGetName")

    def nvmlDeviceGetMemoryInfo(self, handle: Any, memory: Any) -> int:
        """A card's memory."""
        index = _index(handle)
        gpu = self.gpus[index]
        if gpu.total_bytes is None:
            return NOT_SUPPORTED
        memory._obj.total, memory._obj.used = gpu.total_bytes, gpu.used_bytes
        memory._obj.free = gpu.total_bytes - gpu.used_bytes
        return self._error(index, "nvmlDeviceGetMemoryInfo")

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle: Any, count: Any, rows: Any) -> int:
        """Processes that compute."""
        index = _index(handle)
        code = self._error(index, "nvmlDeviceGetComputeRunningProcesses")
        return code or _fill(self.gpus[index].processes, count, rows)

    def nvmlDeviceGetGraphicsRunningProcesses_v3(self, handle: Any, count: Any, rows: Any) -> int:
        """Processes that draw."""
        index = _index(handle)
        code = self._error(index, "nvmlDeviceGetGraphicsRunningProcesses")
        return code or _fill(self.gpus[index].graphics, count, rows)

    def nvmlDeviceGetMPSComputeRunningProcesses_v3(self, handle: Any, count: Any, rows: Any) -> int:
        """Processes that share the card under MPS."""
        return _fill(self.gpus[_index(handle)].shared, count, rows)

    def nvmlDeviceGetProcessUtilization(self, handle: Any, rows: Any, count: Any, since: Any) -> int:
        """Load of each process; none is "not found"."""
        index = _index(handle)
        busy = self.gpus[index].busy
        if code := self._error(index, "nvmlDeviceGetProcessUtilization"):
            return code
        count._obj.value = len(busy)
        if rows is None or not busy:
            return INSUFFICIENT_SIZE if busy else NOT_FOUND
        for at, (row, (pid, percent)) in enumerate(zip(rows, busy.items(), strict=False)):
            row.pid, row.smUtil, row.timeStamp = pid, percent, at
        return 0

    def nvmlDeviceGetUtilizationRates(self, handle: Any, load: Any) -> int:
        """Load of the card; a card that is cut up by MIG has none."""
        index = _index(handle)
        gpu = self.gpus[index]
        load._obj.gpu, load._obj.memory = min(100, sum(gpu.busy.values())), 0
        return NOT_SUPPORTED if gpu.mig else self._error(index, "nvmlDeviceGetUtilizationRates")

    def nvmlDeviceGetTemperature(self, handle: Any, sensor: Any, celsius: Any) -> int:
        """Temperature of the chip."""
        index = _index(handle)
        celsius._obj.value = self.gpus[index].temperature_c
        return self._error(index, "nvmlDeviceGetTemperature")

    def nvmlDeviceGetPowerUsage(self, handle: Any, milliwatts: Any) -> int:
        """What it draws."""
        return self._number(handle, "nvmlDeviceGetPowerUsage", self.gpus[_index(handle)].power_mw, milliwatts)

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: Any, milliwatts: Any) -> int:
        """What it may draw."""
        limit = self.gpus[_index(handle)].power_limit_mw
        return self._number(handle, "nvmlDeviceGetEnforcedPowerLimit", limit, milliwatts)

    def nvmlDeviceGetMigMode(self, handle: Any, current: Any, pending: Any) -> int:
        """Whether it is cut up."""
        mig = self.gpus[_index(handle)].mig
        pending._obj.value = int(bool(mig))
        return self._number(handle, "nvmlDeviceGetMigMode", None if mig is None else int(mig), current)

    def _number(self, handle: Any, function: str, value: int | None, into: Any) -> int:
        if value is None:
            return NOT_SUPPORTED
        into._obj.value = value
        return self._error(_index(handle), function)

    def _error(self, index: int, function: str) -> int:
        return self.gpus[index].errors.get(function, 0)


@contextmanager
def fake_nvml(gpus: Sequence[FakeGpu] = (), *, init_error: int = 0, missing: Sequence[str] = ()) -> Iterator[FakeNvml]:
    """Put a FakeNvml in the place of the driver's library for as long as the block lasts."""
    from llmstack.gpu.nvml import bindings

    pynvml = bindings()
    library = FakeNvml(gpus, init_error=init_error, missing=missing)
    before = pynvml.nvmlLib
    pynvml._nvmlGetFunctionPointer_cache.clear()
    pynvml.nvmlLib = library
    try:
        yield library
    finally:
        pynvml.nvmlLib = before
        pynvml._nvmlGetFunctionPointer_cache.clear()


def _index(handle: Any) -> int:
    return int(ctypes.cast(handle, ctypes.c_void_p).value or 0) - 1


def _fill(sizes: Mapping[int, int | None], count: Any, rows: Any) -> int:
    room, count._obj.value = count._obj.value, len(sizes)
    if not sizes:
        return 0
    if rows is None or room < len(sizes):
        return INSUFFICIENT_SIZE
    for row, (pid, size) in zip(rows, sizes.items(), strict=False):
        row.pid, row.usedGpuMemory = pid, _NO_VALUE if size is None else size
    return 0
