"""`status`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from llmstack.cli.again import check_endless, redraws, show_again
from llmstack.cli.flags import DRIFT, OUTPUT, SELECT, STATES, TIMEOUT, WATCH
from llmstack.cli.session import Session
from llmstack.cli.task import look
from llmstack.errors import OK

if TYPE_CHECKING:
    from llmstack.domain.report import StatusReport

FIGURES_S = 5.0
"""Figures that are watched on a terminal are as old at most."""


@look(
    *(*SELECT, STATES, WATCH, OUTPUT, DRIFT, TIMEOUT),
    kind="status",
    examples=("status --watch", "status -o names --status crashed,degraded"),
)
def status(session: Session) -> int:
    """Show what runs, where, and what it uses; changes nothing.

    Fails only when a host cannot be asked: a model that does not run is an answer. With --exit-code it ends with 8 when
    something that should run does not, or something runs that should not. --watch shows it anew whenever something
    happens.
    """
    from llmstack.ui.status import status_lines, status_note

    if session[WATCH]:
        return _watch(session)
    report = _narrowed(session, session.look(lambda app: app.status(session.selection)))
    document = session.noticed(report.as_json(), changed=any(row.drifts for row in report.rows))
    code = session.answer(document, status_lines(report, session.out.width))
    session.tell(*report.errors)
    if not session[STATES]:
        session.talk(status_note(report))
    return code


def _watch(session: Session) -> int:
    """Raises InterruptedRunError when it is told to end."""
    from llmstack.domain.report import FIGURES
    from llmstack.ui.status import status_lines

    check_endless(session)
    told, width, at = list[dict[str, object]](), 0, 0.0

    def due() -> bool:
        return redraws(session) and (session.out.width != width or time.monotonic() - at >= FIGURES_S)

    with session.app() as app:
        for _ in app.changes(session.selection, due):
            report, width, at = _narrowed(session, app.status(session.selection)), session.out.width, time.monotonic()
            items = [row.as_json() for row in report.rows]
            rows = [{**item, **dict.fromkeys(FIGURES)} for item in items]
            new = [item for item, row in zip(items, rows, strict=True) if row not in told]
            show_again(session, new, status_lines(report, width), *report.errors)
            told = rows
    return OK


def _narrowed(session: Session, report: StatusReport) -> StatusReport:
    from dataclasses import replace

    wanted = session[STATES]
    return replace(report, rows=tuple(row for row in report.rows if not wanted or row.state in wanted))
