"""`sync`."""

from __future__ import annotations

from llmstack.cli.flags import CHECK, OUTPUT, SELECT, TIMEOUT
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*SELECT, OUTPUT, CHECK, TIMEOUT, kind="sync", examples=("sync --check", "sync -o json"))
def sync(session: Session) -> int:
    """Make the store say what really runs; touches no engine."""
    from llmstack.ui.sync import sync_lines

    with session.app() as app:
        report = app.sync(session.selection, check=session[CHECK])
    code = session.answer(report.as_json(), sync_lines(report))
    session.tell(*report.errors)
    return code
