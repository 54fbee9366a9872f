"""What was known, beside what runs."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from llmstack.domain.report import SyncReport
from llmstack.ui.clean import clean
from llmstack.ui.console import Streams


def sync_lines(report: SyncReport, streams: Streams) -> Iterator[Text]:
    """Each difference: what the store said, what the engine says, and what became of it."""
    found = report.differences
    if not found:
        yield Text("what was known is what runs")
        return
    yield Text(f"{len(found)} difference{'' if len(found) == 1 else 's'} between what was known and what runs:", "bold")
    names, stores, engines = (
        max(len(clean(text)) for text in column)
        for column in zip(*((str(item.target), item.store, item.engine) for item in found), strict=True)
    )
    for item in found:
        line = Text.assemble("  ", (f"{clean(str(item.target)):<{names}}", "bold"))
        line.append(f"   store: {clean(item.store):<{stores}}   engine: {clean(item.engine):<{engines}}   → ")
        yield line.append(clean(streams.spell(item.action)), "yellow")
