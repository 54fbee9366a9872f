"""`logs`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from llmstack.cli.flags import COMMON, FOLLOW, SELECT, TAIL, output
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.errors import UsageError

if TYPE_CHECKING:
    from llmstack.domain.target import Target


@verb(*SELECT, TAIL, FOLLOW, output("json"), *COMMON, kind="logs", reads_only=True)
def logs(session: Session) -> int:
    """Show what the servers wrote; with several of them each line says whose it is."""
    options, picked = session.options, session.selection
    if options.follow and options.output == "json":
        raise UsageError("--follow has no end, so it makes no JSON document", "leave one of the two out")
    with session.app() as app:
        lines: Iterable[tuple[Target, str]] = app.logs(picked, tail=options.tail, follow=options.follow)
        if options.follow:
            _write(session, lines, several=len(picked.models) + len(picked.services) != 1)
            return 0
        lines = list(lines)
    if options.output == "json":
        items = [{"target": str(target), "line": line} for target, line in lines]
        return session.document({"v": 1, "kind": "logs", "rc": 0, "items": items, "errors": []})
    _write(session, lines, several=len({target for target, _ in lines}) > 1)
    return 0


def _write(session: Session, lines: Iterable[tuple[Target, str]], *, several: bool) -> None:
    from llmstack.ui.clean import clean

    out = session.streams.out.file
    first: Target | None = None
    for target, line in lines:
        first = first or target
        several = several or target != first
        out.write(f"{clean(str(target))} | {clean(line)}\n" if several else f"{clean(line)}\n")
        if session.options.follow:
            out.flush()
    out.flush()
