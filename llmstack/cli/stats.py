"""`stats`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llmstack.cli.flags import OUTPUT, SELECT, WATCH
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.errors import UsageError

if TYPE_CHECKING:
    from llmstack.domain.usage import StatsReport

EVERY_S = 1.0


@verb(
    *(*SELECT, OUTPUT, WATCH),
    kind="stats",
    reads_only=True,
    examples=("stats", "stats --model demo --watch -o ndjson"),
)
def stats(session: Session) -> int:
    """Show what everything that runs uses: CPU, memory, GPU, network, disk; changes nothing.

    CPU and GPU count 100 % for one core and one GPU; bytes of network and disk count from the start of an instance.
    With --watch one sample a minute is kept for `history --metrics`.
    """
    picked, watches = session.selection, session[WATCH]
    if watches and session[OUTPUT] not in ("text", "ndjson"):
        raise UsageError("--watch has no end, so it makes no document", "take -o ndjson")
    with session.app() as app:
        report = app.stats(picked, keep=watches)
        while watches:
            began = time.monotonic()
            _show_again(session, report)
            time.sleep(max(0.0, began + EVERY_S - time.monotonic()))
            report = app.stats(picked, keep=True)
    return _show(session, report)


def _show(session: Session, report: StatsReport) -> int:
    from llmstack.ui.stats import stats_lines

    document = session.document((row.as_json() for row in report.rows), *report.errors)
    code = session.answer(document, stats_lines(report, session.out.width))
    session.tell(*report.errors)
    if not report.rows and not report.errors:
        session.warn("nothing of it runs")
    return code


def _show_again(session: Session, report: StatsReport) -> None:
    """One look of many: on a terminal in the place of the one before."""
    from llmstack.ui.stats import stats_lines

    if session[OUTPUT] == "ndjson":
        for row in report.rows:
            session.lines.put("item", row.as_json())
        return
    if session.out.redraws:
        session.out.clear()
    session.out.put(stats_lines(report, session.out.width))
    session.out.file.flush()
    session.tell(*report.errors)
