"""What everything uses, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from llmstack.domain.usage import StatsReport, StatsRow
from llmstack.ui.clean import line
from llmstack.ui.table import known
from llmstack.ui.text import Text
from llmstack.ui.units import UNKNOWN, memory, percent, size

HEAD = ("SERVICE", "HOST", "CPU", "MEMORY", "GPU MEM", "GPU", "NET IN/OUT", "DISK R/W", "PROCS", "MODELS")


def stats_lines(report: StatsReport, width: int) -> Iterator[Text]:
    """The table, without columns that no row has anything for."""
    return known(HEAD, list(map(_row, report.rows)), width, "CPU")


def _row(row: StatsRow) -> list[Text]:
    used = row.usage
    cells = (
        row.service,
        row.host,
        percent(used.cpu_percent),
        memory(used.memory_bytes, used.memory_limit_bytes),
        memory(used.gpu_memory_bytes),
        percent(used.gpu_percent),
        _both(used.network_received_bytes, used.network_sent_bytes),
        _both(used.disk_read_bytes, used.disk_written_bytes),
        UNKNOWN if used.processes is None else str(used.processes),
        " ".join(row.models) or UNKNOWN,
    )
    return [line(cell) for cell in cells]


def _both(one: int | None, other: int | None) -> str:
    return UNKNOWN if one is None and other is None else f"{size(one)} / {size(other)}"
