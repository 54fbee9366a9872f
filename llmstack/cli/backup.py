"""`backup` and `restore`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.cli.flags import CHANGE, CHECK, FILE, YES
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.errors import UsageError

if TYPE_CHECKING:
    from llmstack.app import App
    from llmstack.domain.outcome import RunResult
    from llmstack.domain.selection import RunOptions

Work = Callable[["App", "RunOptions"], "RunResult"]


@verb(*CHANGE, FILE, examples=("backup --service webui --file b.tar", "backup --service webui --file b.tar --check"))
def backup(session: Session) -> int:
    """Save the volumes of one service to a file.

    It is stopped for as long as that takes, and started again. The file is a plain tar that only you can read.
    """
    file = _file(session)
    question = f"Overwrite {file}?" if Path(file).exists() else None
    return _done(session, lambda app, options: app.backup(session.selection, options), question)


@verb(*CHANGE, FILE, examples=("restore --service webui --file b.tar", "restore --service webui --file b.tar --yes"))
def restore(session: Session) -> int:
    """Give one service the data of a backup; asks first, since what it has now is lost.

    It is replaced as by `up`: if the new one does not get ready, the old one is back with its data.
    """
    question = f"Replace all data of {', '.join(session.selection.services)} by those of {_file(session)}?"
    return _done(session, lambda app, options: app.restore(session.selection, options), question)


def _done(session: Session, work: Work, question: str | None) -> int:
    """Do it; what would stand in the way is found before the user is asked."""
    if question and not (session[CHECK] or session[YES]):
        with session.app() as app:
            planned = work(app, replace(session.options, check=True))
        for error in (outcome.error for outcome in planned.outcomes if outcome.error):
            raise error
        session.confirm(question)
    with session.app(session.screen()) as app:
        result = work(app, session.options)
    return session.finish(result)


def _file(session: Session) -> str:
    file = session[FILE]
    if not file or not session.selection.services:
        raise UsageError(f"{session.task} is of one service and one file", "name them: --service NAME --file FILE")
    return file
