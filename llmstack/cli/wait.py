"""`wait`."""

from __future__ import annotations

from llmstack.cli.flags import OUTPUT, PATIENCE, SELECT
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(
    *(*SELECT, OUTPUT, PATIENCE),
    reads_only=True,
    examples=("wait --model demo", "wait --service web --timeout 5m"),
)
def wait(session: Session) -> int:
    """Wait until what is picked has really answered; for scripts. Starts nothing.

    Ends with 124 when it takes longer than --timeout, and says what was missing.
    """
    from llmstack.ui.rungs import report_lines

    with session.app(session.screen(keep=False)) as app:
        result = app.wait(session.selection)
    return session.answer(result.as_json(), report_lines(result.outcomes, session.out.width))
