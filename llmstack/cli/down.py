"""`down`."""

from __future__ import annotations

from llmstack.cli.flags import CHECK, COMMON, DIFF, LOCK_WAIT, ORPHANS, SELECT, TIMEOUT, output
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*SELECT, output("json", "names"), CHECK, DIFF, ORPHANS, TIMEOUT, LOCK_WAIT, *COMMON)
def down(session: Session) -> int:
    """Stop and remove: returns when it is verified to be gone, and its port free.

    Weights and caches stay. Nothing to remove is no failure.
    """
    options, screen = session.options, session.screen()
    with session.app(screen) as app:
        result = app.down(session.selection, check=options.check, orphans=options.orphans)
    return session.finish(result, screen, checked=options.check)
