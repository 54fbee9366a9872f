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
    """One card. `processes` and `graphics` hold bytes (None: the driver does not say) by host pid; `errors` the NVML
    code that a function answers with on this card, by its name (without a version suffix)."""

    name: str
    uuid: str
    total_bytes: int | None
    used_bytes: int = 0
    processes: Mapping[int, int | None] = field(default_factory=dict)
    graphics: Mapping[int, int | None] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)

    def holding(self, processes: Mapping[int, int | None], graphics: Mapping[int, int | None] | None = None) -> FakeGpu:
        """The same card with these processes on it."""
        used = sum(size or 0 for size in [*processes.values(), *(graphics or {}).values()])
        return replace(self, processes=processes, graphics=graphics or {}, used_bytes=used)

    def failing(self, **errors: int) -> FakeGpu:
        """The same card with functions that answer an error code."""
        return replace(self, errors={**self.errors, **errors})


RTX_4090 = FakeGpu(
    name="NVIDIA GeForce RTX 4090", uuid="GPU-11111111-2222-3333-4444-555555555555", total_bytes=25757220864
)
H100 = FakeGpu(name="NVIDIA H100 80GB HBM3", uuid="GPU-66666666-7777-8888-9999-aaaaaaaaaaaa", total_bytes=85520809984)
GB10 = FakeGpu(name="NVIDIA GB10", uuid="GPU-bbbbbbbb-cccc-dddd-eeee-ffffffffffff", total_bytes=None)
"""Unified memory: the driver knows no memory of the card's own."""


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

    def nvmlInitWithFlags(self, flags: int) -> int:  # noqa: N802, ARG002 - the library's own names
        """Open a session."""
        self.open_sessions += not self.init_error
        return self.init_error

    def nvmlShutdown(self) -> int:  # noqa: N802
        """Close a session."""
        self.open_sessions -= 1
        return 0

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:  # noqa: N802
        """How many cards."""
        count._obj.value = len(self.gpus)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: Any, handle: Any) -> int:  # noqa: N802
        """A card's handle: its index and one, as an address."""
        if code := self._error(index.value, "nvmlDeviceGetHandleByIndex"):
            return code
        ctypes.cast(handle, ctypes.POINTER(ctypes.c_void_p))[0] = index.value + 1
        return 0

    def nvmlDeviceGetUUID(self, handle: Any, buffer: Any, size: Any) -> int:  # noqa: N802, ARG002
        """A card's UUID."""
        index = _index(handle)
        buffer.value = self.gpus[index].uuid.encode()
        return self._error(index, "nvmlDeviceGetUUID")

    def nvmlDeviceGetName(self, handle: Any, buffer: Any, size: Any) -> int:  # noqa: N802, ARG002
        """A card's name."""
        index = _index(handle)
        buffer.value = self.gpus[index].name.encode()
        return self._error(index, "nvmlDeviceGetName")

    def nvmlDeviceGetMemoryInfo(self, handle: Any, memory: Any) -> int:  # noqa: N802
        """A card's memory."""
        index = _index(handle)
        gpu = self.gpus[index]
        if gpu.total_bytes is None:
            return NOT_SUPPORTED
        memory._obj.total, memory._obj.used = gpu.total_bytes, gpu.used_bytes
        memory._obj.free = gpu.total_bytes - gpu.used_bytes
        return self._error(index, "nvmlDeviceGetMemoryInfo")

    def nvmlDeviceGetComputeRunningProcesses_v3(self, handle: Any, count: Any, rows: Any) -> int:  # noqa: N802
        """Processes that compute."""
        index = _index(handle)
        code = self._error(index, "nvmlDeviceGetComputeRunningProcesses")
        return code or _fill(self.gpus[index].processes, count, rows)

    def nvmlDeviceGetGraphicsRunningProcesses_v3(self, handle: Any, count: Any, rows: Any) -> int:  # noqa: N802
        """Processes that draw."""
        index = _index(handle)
        code = self._error(index, "nvmlDeviceGetGraphicsRunningProcesses")
        return code or _fill(self.gpus[index].graphics, count, rows)

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
