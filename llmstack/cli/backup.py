"""`backup` and `restore`."""

from __future__ import annotations

from pathlib import Path

from llmstack.cli.flags import CHANGE, CHECK, FILE
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.errors import UsageError


@verb(*CHANGE, FILE, examples=("backup --service webui --file b.tar", "backup --service webui --file b.tar --check"))
def backup(session: Session) -> int:
    """Save the volumes of one service to a file.

    It is stopped for as long as that takes, and started again. The file is a plain tar that only you can read.
    """
    file = _file(session)
    if Path(file).exists() and not session[CHECK]:
        session.confirm(f"Overwrite {file}?")
    with session.app(session.screen()) as app:
        result = app.backup(session.selection, session.options)
    return session.finish(result)


@verb(*CHANGE, FILE, examples=("restore --service webui --file b.tar", "restore --service webui --file b.tar --yes"))
def restore(session: Session) -> int:
    """Give one service the data of a backup; asks first, since what it has now is lost.

    It is replaced as by `up`: if the new one does not get ready, the old one is back with its data.
    """
    file = _file(session)
    if not session[CHECK]:
        session.confirm(f"Replace all data of {', '.join(session.selection.services)} by those of {file}?")
    with session.app(session.screen()) as app:
        result = app.restore(session.selection, session.options)
    return session.finish(result)


def _file(session: Session) -> str:
    file = session[FILE]
    if not file or not session.selection.services:
        raise UsageError(f"{session.task} is of one service and one file", "name them: --service NAME --file FILE")
    return file
