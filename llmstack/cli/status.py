"""`status`."""

from __future__ import annotations

from llmstack.cli.flags import DRIFT, OUTPUT, SELECT, STATES, TIMEOUT
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(
    *(*SELECT, STATES, OUTPUT, DRIFT, TIMEOUT),
    kind="status",
    reads_only=True,
    examples=("status", "status -o names --status crashed,degraded"),
)
def status(session: Session) -> int:
    """Show what runs, where, and what it uses; changes nothing.

    Fails only when a host cannot be asked: a model that does not run is an answer. With --exit-code it ends with 8 when
    something that should run does not, or something runs that should not.
    """
    from dataclasses import replace

    from llmstack.ui.status import status_lines, status_note

    with session.app() as app:
        report = app.status(session.selection)
    if session[STATES]:
        report = replace(report, rows=tuple(row for row in report.rows if row.state in session[STATES]))
    document = session.noticed(report.as_json(), changed=any(row.drifts for row in report.rows))
    code = session.answer(document, status_lines(report, session.out.width))
    session.tell(*report.errors)
    if not session[STATES]:
        session.talk(status_note(report))
    return code
