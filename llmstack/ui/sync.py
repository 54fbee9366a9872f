"""What was known, beside what runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from llmstack.domain.event import Event
from llmstack.domain.report import Difference, SyncReport
from llmstack.ui.clean import line, prose
from llmstack.ui.table import table
from llmstack.ui.text import Text


def sync_lines(report: SyncReport) -> Iterator[Text]:
    """Each difference: what the store said, what the engine says, and what became of it."""
    found = report.differences
    if not found:
        yield line("what was known is what runs")
        return
    yield line(
        (f"{len(found)} difference{'' if len(found) == 1 else 's'} between what was known and what runs:", "bold")
    )
    rows = [[line("  ", (str(one.target), "bold")), _told(one), line("→ ", (one.action, "yellow"))] for one in found]
    yield from map(prose, table(rows))


def change_line(event: Event) -> Text:
    """When it happened, to whom, and what of it."""
    one = event.data["difference"]
    assert isinstance(one, Difference)
    at = f"{datetime.fromtimestamp(event.ts).astimezone():%H:%M:%S}  "
    return line((at, "dim"), (str(one.target), "bold"), "  ", _told(one), "  → ", (one.action, "yellow"))


def _told(one: Difference) -> Text:
    """What each of the two says; the engine alone, where the store is not at fault."""
    return line(f"store: {one.store}   engine: {one.engine}" if one.store else one.engine)
