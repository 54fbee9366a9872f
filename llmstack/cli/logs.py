"""`logs`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from llmstack.cli.flags import FOLLOW, OUTPUT, OUTPUT_JSON, SELECT, TAIL
from llmstack.cli.session import Session
from llmstack.cli.task import look
from llmstack.errors import OK, UsageError

if TYPE_CHECKING:
    from llmstack.domain.target import Target


@look(
    *(*SELECT, TAIL, FOLLOW, OUTPUT_JSON),
    kind="logs",
    examples=("logs --model demo --tail 50", "logs --service ollama --follow"),
)
def logs(session: Session) -> int:
    """Show what the servers wrote.

    With several of them each line says whose it is.
    """
    picked, follow = session.selection, session[FOLLOW]
    if follow and session[OUTPUT] == "json":
        raise UsageError("--follow has no end, so it makes no JSON document", "take -o ndjson")
    session.endless = follow
    with session.app() as app:
        lines: Iterable[tuple[Target, str]] = app.logs(picked, tail=session[TAIL], follow=follow)
        if session[OUTPUT] == "ndjson":
            for target, line in lines:
                session.lines.put("item", {**target.as_json(), "line": line})
            return session.answer(session.document(()))
        if follow:
            _write(session, lines, several=len(picked.models) + len(picked.services) != 1)
            return OK
        lines = list(lines)
    if session[OUTPUT] == "json":
        return session.answer(session.document({**target.as_json(), "line": line} for target, line in lines))
    _write(session, lines, several=len({target for target, _ in lines}) > 1)
    if not lines:
        session.warn("nothing was written so far")
    return OK


def _write(session: Session, lines: Iterable[tuple[Target, str]], *, several: bool) -> None:
    from llmstack.domain.clean import clean

    first: Target | None = None
    for target, line in lines:
        first = first or target
        several = several or target != first
        session.write(f"{clean(str(target))} | {clean(line)}\n" if several else f"{clean(line)}\n")
