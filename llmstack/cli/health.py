"""`health`."""

from __future__ import annotations

from llmstack.cli.flags import COMMON, DEEP, SELECT, TIMEOUT, output
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*SELECT, output("json", "names"), DEEP, TIMEOUT, *COMMON, reads_only=True)
def health(session: Session) -> int:
    """Prove that each model answers, and say why one does not; changes nothing.

    A model that is loaded on demand stays unloaded, unless --deep asks for it.
    """
    from llmstack.ui.blocks import report_lines
    from llmstack.ui.recap import recap_lines

    screen = session.screen(keep="none")
    with session.app(screen) as app:
        result = app.health(session.selection, deep=session.options.deep)
    targets = [outcome.target for outcome in result.outcomes]
    code = session.answer(result, targets, lambda: report_lines(result.outcomes, screen.abouts, session.streams))
    session.talk(recap_lines(result))
    return code
