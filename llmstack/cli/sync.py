"""`sync`."""

from __future__ import annotations

from llmstack.cli.flags import CHECK, COMMON, TIMEOUT, output
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(output("json", "names"), CHECK, TIMEOUT, *COMMON, kind="sync")
def sync(session: Session) -> int:
    """Make the store say what really runs; touches no engine."""
    from llmstack.ui.problems import trouble_lines
    from llmstack.ui.sync import sync_lines

    with session.app() as app:
        report = app.sync(check=session.options.check)
    targets = [difference.target for difference in report.differences]
    code = session.answer(report, targets, lambda: sync_lines(report, session.streams))
    session.complain(trouble_lines(report.errors, session.streams))
    return code
