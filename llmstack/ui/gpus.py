"""The GPUs and what is on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmstack.domain.gpu import Gpu, HeldGpu, Holder, HolderKind
from llmstack.domain.units import UNKNOWN, memory, percent
from llmstack.ui.clean import line, prose
from llmstack.ui.table import table
from llmstack.ui.text import Text

UNTOLD = "the driver does not tell which processes it works for"
_STYLES = {HolderKind.INSTANCE: "green", HolderKind.CONTAINER: "yellow", HolderKind.PROCESS: "yellow"}


def gpu_lines(found: Sequence[HeldGpu], width: int) -> Iterator[Text]:
    """Each GPU with its figures, and below it whoever holds its memory."""
    for held in found:
        yield line((f"GPU {held.gpu.index}", "bold"), f"  {held.gpu.name or UNKNOWN}  ", "  ".join(_figures(held.gpu)))
        for note in _notes(held):
            yield prose((f"  {note}", "dim"))
        yield from table([_row(holder) for holder in held.holders or ()], width)


def _figures(gpu: Gpu) -> Iterator[str]:
    """What is known of it."""
    if gpu.memory_total_bytes is not None:
        yield memory(gpu.memory_used_bytes, gpu.memory_total_bytes)
    if gpu.utilization_percent is not None:
        yield percent(gpu.utilization_percent)
    if gpu.temperature_c is not None:
        yield f"{gpu.temperature_c} °C"
    if gpu.power_watts is not None:
        yield f"{gpu.power_watts:.0f}{f'/{gpu.power_limit_watts:.0f}' if gpu.power_limit_watts else ''} W"


def _notes(held: HeldGpu) -> Iterator[str]:
    gpu = held.gpu
    if gpu.trouble:
        yield gpu.trouble
        return
    if gpu.unified:
        yield "unified memory: it uses the machine's"
    if gpu.mig:
        yield "cut up by MIG: the driver tells no load of it as a whole"
    if held.holders is None:
        yield UNTOLD
    elif not held.holders:
        yield "nothing is on it"


def _row(holder: Holder) -> list[Text]:
    return [
        line("  ", (holder.name, _STYLES[holder.kind])),
        line(holder.kind.value),
        line(memory(holder.memory_bytes)),
        line(percent(holder.percent)),
        line((f"pid {holder.pid}", "dim")),
    ]
