"""`backup` and `restore`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from llmstack.cli.flags import CHANGE, CHECK, FILE, YES
from llmstack.cli.session import Do, Session
from llmstack.cli.task import verb
from llmstack.errors import UsageError


@verb(*CHANGE, FILE, examples=("backup --service webui --file b.tar", "backup --service webui --file b.tar --check"))
def backup(session: Session) -> int:
    """Save the volumes of one service to a file.

    It is stopped for as long as that takes, and started again. The file is a plain tar that only you can read.
    """
    file = _file(session)
    return _done(session, lambda app: app.backup, f"Overwrite {file}?" if Path(file).exists() else None)


@verb(*CHANGE, FILE, examples=("restore --service webui --file b.tar", "restore --service webui --file b.tar --yes"))
def restore(session: Session) -> int:
    """Give one service the data of a backup; asks first, since what it has now is lost.

    It is replaced as by `up`: if the new one does not get ready, the old one is back with its data.
    """
    question = f"Replace all data of {', '.join(session.selection.services)} by those of {_file(session)}?"
    return _done(session, lambda app: app.restore, question)


def _done(session: Session, work: Do, question: str | None) -> int:
    """Do it; what would stand in the way is found before the user is asked."""
    if question and not (session[CHECK] or session[YES]):
        with session.app() as app:
            planned = work(app)(session.selection, replace(session.options, check=True))
        for error in (outcome.error for outcome in planned.outcomes if outcome.error):
            raise error
        session.confirm(question)
    return session.carry_out(work)


def _file(session: Session) -> str:
    picked, file = session.selection, session[FILE]
    if not picked.services:
        raise UsageError(f"{session.task} is of one service", f"name it: --service {(*picked.models, 'NAME')[0]}")
    if not file:
        raise UsageError(f"{session.task} needs a file", "name it: --file FILE")
    return file
