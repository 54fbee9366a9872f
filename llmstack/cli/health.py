"""`health`."""

from __future__ import annotations

from llmstack.cli.flags import DEEP, OUTPUT_RUN, SELECT, TIMEOUT
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*SELECT, OUTPUT_RUN, DEEP, TIMEOUT, reads_only=True, examples=("health", "health --deep -o junit > health.xml"))
def health(session: Session) -> int:
    """Prove that each model answers, or say why not; changes nothing.

    A model that is loaded on demand stays unloaded, and its `checks:` are not run, unless --deep asks for it.
    """
    from llmstack.ui.recap import recap_lines
    from llmstack.ui.rungs import report_lines

    with session.app(session.screen(keep=False)) as app:
        result = app.health(session.selection, deep=session[DEEP])
    code = session.answer(result.as_json(), report_lines(result.outcomes, session.out.width))
    session.talk(recap_lines(result))
    return code
