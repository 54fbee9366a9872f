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


def status_lines(report: StatusReport, streams: Streams) -> Iterator[Text]:
    """The table, if there is anything to show."""
    if report.rows:
        yield from table_lines(HEAD, [_row(row, streams) for row in report.rows], streams.out.width)


def status_notes(report: StatusReport, streams: Streams) -> Iterator[Text]:
    """What stands beside the table: that there is nothing, that there is no inventory, and what a narrow table had no
    room for."""
    if not report.rows and not report.errors:
        yield Text("nothing serves models here" if report.inventory is None else "nothing is wanted and nothing runs")
    elif report.inventory is None:
        yield Text("no inventory found: this is what serves models on this machine", "dim")
    head = next(status_lines(report, streams), Text(HEAD[-1]))
    if not head.plain.endswith(HEAD[-1]):
        for row in (row for row in report.rows if row.detail):
            yield Text(f"{clean(str(row.target))}: {clean(streams.spell(row.detail))}", "dim")


def _row(row: StatusRow, streams: Streams) -> list[Text]:
    cells = [row.model, row.service, row.host, row.state.value, row.device, row.version]
    texts = [Text(clean(cell) if cell else UNKNOWN) for cell in cells]
    texts[3].stylize(_STYLES.get(row.state, "dim"))
    figures = (percent(row.cpu_percent), memory_of(row.memory_bytes, row.memory_limit_bytes))
    where = [row.url, row.detail, None if row.ours else "not ours"]
    last = ", ".join(clean(streams.spell(text)) for text in where if text) or UNKNOWN
    return [*texts, *map(Text, (*figures, memory(row.gpu_memory_bytes), last))]
