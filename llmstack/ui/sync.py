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
    told = [(clean(str(item.target)), _told(item.store, item.engine), item.action) for item in found]
    names, facts = (max(len(row[column]) for row in told) for column in (0, 1))
    for name, fact, action in told:
        line = Text.assemble("  ", (f"{name:<{names}}", "bold"), f"   {fact:<{facts}}   → ")
        yield line.append(clean(streams.spell(action)), "yellow")


def _told(store: str, engine: str) -> str:
    """What each of the two says; the engine alone, where the store is not at fault."""
    return f"store: {clean(store)}   engine: {clean(engine)}" if store else clean(engine)
