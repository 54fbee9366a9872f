"""What runs, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from llmstack.domain.instance import State
from llmstack.domain.report import StatusReport, StatusRow
from llmstack.ui.clean import clean
from llmstack.ui.console import Streams
from llmstack.ui.table import table_lines
from llmstack.ui.units import UNKNOWN, memory, memory_of, percent

HEAD = ("MODEL", "SERVICE", "HOST", "STATE", "DEVICE", "VERSION", "CPU", "MEMORY", "GPU MEM", "URL")
_STYLES = {
    State.READY: "green",
    State.STARTING: "yellow",
    State.LOADING: "yellow",
    State.DEGRADED: "yellow",
    State.CRASHED: "red",
    State.UNREACHABLE: "red",
}


def status_lines(report: StatusReport, width: int) -> Iterator[Text]:
    """The table; what is not wanted or not ours says so in its last column."""
    if report.rows:
        yield from table_lines(HEAD, [_row(row) for row in report.rows], width)


def status_notes(report: StatusReport, streams: Streams) -> Iterator[Text]:
    """What stands beside the table: nothing there at all, or no inventory."""
    if not report.rows and not report.errors:
        yield Text("nothing serves models here" if report.inventory is None else "nothing is wanted and nothing runs")
    if report.inventory is None:
        yield Text("no inventory found: this is what serves models on this machine", "dim")
    elif any(not row.wanted and row.ours for row in report.rows):
        yield Text(f"what is no longer in the inventory goes with `{streams.command('down --orphans')}`", "dim")


def _row(row: StatusRow) -> list[Text]:
    cells = [row.model, row.service, row.host, row.state.value, row.device, row.version]
    texts = [Text(clean(cell) if cell else UNKNOWN) for cell in cells]
    texts[3].stylize(_STYLES.get(row.state, "dim"))
    figures = (percent(row.cpu_percent), memory_of(row.memory_bytes, row.memory_limit_bytes))
    return [*texts, *map(Text, (*figures, memory(row.gpu_memory_bytes))), Text(_where(row))]


def _where(row: StatusRow) -> str:
    notes = [clean(text) for text in (row.url, row.detail) if text]
    if not row.ours:
        notes.append("not ours")
    elif not row.wanted:
        notes.append("orphan")
    return ", ".join(notes) or UNKNOWN
