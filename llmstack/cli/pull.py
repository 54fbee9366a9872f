"""`pull`."""

from __future__ import annotations

from llmstack.cli.flags import CHECK, COMMON, DIFF, LOCK_WAIT, SELECT, TIMEOUT, output
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*SELECT, output("json", "names"), CHECK, DIFF, TIMEOUT, LOCK_WAIT, *COMMON)
def pull(session: Session) -> int:
    """Fetch images and models now, so that a later `up` need not wait for them."""
    from llmstack.ui.blocks import draw_fetch

    options, screen = session.options, session.screen(draw=draw_fetch)
    with session.app(screen) as app:
        result = app.pull(session.selection, check=options.check)
    return session.finish(result, screen, checked=options.check)
