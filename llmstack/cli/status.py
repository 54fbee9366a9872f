"""`status`."""

from __future__ import annotations

from llmstack.cli.flags import COMMON, SELECT, TIMEOUT, output
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*SELECT, output("json", "names"), TIMEOUT, *COMMON, kind="status", reads_only=True)
def status(session: Session) -> int:
    """Show what runs, where, and what it uses; changes nothing.

    Fails only when a host cannot be asked: a model that does not run is an answer.
    """
    from llmstack.ui.problems import trouble_lines
    from llmstack.ui.status import status_lines, status_notes

    with session.app() as app:
        report = app.status(session.selection)
    streams = session.streams
    code = session.answer(report, [row.target for row in report.rows], lambda: status_lines(report, streams))
    session.complain(trouble_lines(report.errors, streams))
    session.talk(status_notes(report, streams))
    return code
