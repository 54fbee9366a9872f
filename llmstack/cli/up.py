"""`up`."""

from __future__ import annotations

from llmstack.cli.flags import CHECK, COMMON, DIFF, LOCK_WAIT, SELECT, TIMEOUT, WAIT, output
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*SELECT, output("json", "names"), CHECK, DIFF, WAIT, TIMEOUT, LOCK_WAIT, *COMMON)
def up(session: Session) -> int:
    """Make it run: start what the inventory wants, and prove that each model answers.

    Without names everything is meant; what a picked service depends on comes along. A second run changes nothing.
    """
    options, screen = session.options, session.screen()
    with session.app(screen) as app:
        result = app.up(session.selection, check=options.check, wait=options.wait)
    return session.finish(result, screen, checked=options.check)
