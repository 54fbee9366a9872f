"""`health` and `wait`."""

from __future__ import annotations

from llmstack.cli.again import check_endless, redraws, show_again
from llmstack.cli.flags import DEEP, OUTPUT, OUTPUT_RUN, PATIENCE, SELECT, TIMEOUT, WATCH
from llmstack.cli.session import Session
from llmstack.cli.task import look
from llmstack.errors import OK

EVERY_S = 5.0


@look(*(*SELECT, OUTPUT_RUN, DEEP, WATCH, TIMEOUT), examples=("health --watch", "health --deep -o junit > health.xml"))
def health(session: Session) -> int:
    """Prove that each model answers, or say why not; changes nothing.

    A model that is loaded on demand stays unloaded, and its `checks:` are not run, unless --deep asks for it.
    --watch does it again every few seconds.
    """
    from llmstack.ui.recap import recap_lines
    from llmstack.ui.rungs import report_lines

    if session[WATCH]:
        return _watch(session)
    result = session.look(lambda app: app.health(session.selection, deep=session[DEEP]))
    code = session.answer(result.as_json(), report_lines(result.outcomes, session.out.width))
    session.talk(recap_lines(result))
    return code


def _watch(session: Session) -> int:
    """Raises InterruptedRunError when it is told to end."""
    from llmstack.ui.live import RunScreen
    from llmstack.ui.rungs import report_lines

    check_endless(session)
    with session.app(RunScreen(session.err, keep=False, quiet=True)) as app:  # each look is told as a whole, below
        result, told = None, set[object]()
        for _ in app.turns(rest_s=EVERY_S):
            result = app.health(session.selection, deep=session[DEEP], before=result)
            new = [one for one in result.outcomes if redraws(session) or one.came_to not in told]
            show_again(session, [one.as_json() for one in new], report_lines(new, session.out.width))
            told = {one.came_to for one in result.outcomes}
    return OK


@look(*(*SELECT, OUTPUT, PATIENCE), examples=("wait --model demo", "wait --service web --timeout 5m"))
def wait(session: Session) -> int:
    """Wait until what is picked has really answered; for scripts. Starts nothing.

    Ends with 124 when it takes longer than --timeout, and says what was missing.
    """
    from llmstack.ui.rungs import report_lines

    result = session.look(lambda app: app.wait(session.selection))
    return session.answer(result.as_json(), report_lines(result.outcomes, session.out.width))
