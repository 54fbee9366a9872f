"""`sync`."""

from __future__ import annotations

from llmstack.cli.again import check_endless
from llmstack.cli.flags import CHECK, OUTPUT, SELECT, TIMEOUT, WATCH
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.errors import OK, UsageError


@verb(*SELECT, WATCH, OUTPUT, CHECK, TIMEOUT, kind="sync", examples=("sync --check", "sync --watch -o ndjson"))
def sync(session: Session) -> int:
    """Make the store say what really runs; touches no engine.

    With --watch it goes on, and tells what happens on all hosts when it happens.
    """
    from llmstack.ui.sync import sync_lines

    if session[WATCH]:
        return _watch(session)
    report = session.look(lambda app: app.sync(session.selection, check=session[CHECK]))
    code = session.answer(report.as_json(), sync_lines(report))
    session.tell(*report.errors)
    return code


def _watch(session: Session) -> int:
    """Raises InterruptedRunError when it is told to end."""
    from llmstack.domain.event import EventType
    from llmstack.ui.sync import change_line

    if session[CHECK]:
        raise UsageError("--watch keeps the store true, and --check leaves it as it is", "take one of them")
    check_endless(session)
    session.reads_only = True  # without a reader there is nothing to go on for
    with session.app() as app:
        for event in app.watch(session.selection):
            if session[OUTPUT] == "ndjson":
                session.lines.emit(event)
            elif event.type is EventType.CHANGE:
                session.out.put([change_line(event)])
                session.out.file.flush()
            else:
                session.warn(event.message)
    return OK
