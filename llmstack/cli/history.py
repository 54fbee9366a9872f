"""`history`."""

from __future__ import annotations

from llmstack.cli.flags import LAST, METRICS, MODEL, OUTPUT, RUN
from llmstack.cli.session import Session
from llmstack.cli.task import look
from llmstack.errors import UsageError


@look(
    *(RUN, MODEL, METRICS, LAST, OUTPUT),
    kind="history",
    examples=("history", "history --model demo --last 5", "history --model demo --metrics"),
)
def history(session: Session) -> int:
    """Show what was done before, by whom, and what came of it; asks the store alone.

    With --run one run in full; with --model, which takes services too, what was done with it, and why. With --metrics
    what it used, as a curve for each figure.
    """
    from llmstack.ui.clean import line
    from llmstack.ui.history import action_lines, history_lines, run_lines

    run_id, picked = session[RUN], session.selection
    if run_id and (picked.models or session[METRICS]):
        raise UsageError("--run shows one run as a whole", "leave --model and --metrics out")
    if session[METRICS]:
        return _metrics(session)
    with session.app() as app:
        runs = app.history(picked, run_id=run_id, limit=session[LAST] or 20)
    lines = action_lines(runs, session.out.width) if picked.models else history_lines(runs, session.out.width)
    if run_id:
        lines = run_lines(runs[0], session.out.width)
    code = session.answer(session.document(run.as_json() for run in runs), lines)
    if not runs:
        session.talk([line("no run is remembered so far")])
    return code


def _metrics(session: Session) -> int:
    from llmstack.ui.stats import metrics_lines

    with session.app() as app:
        found = app.metrics(session.selection, last=session[LAST] or 60)
    code = session.answer(session.document(one.as_json() for one in found), metrics_lines(found, session.out.width))
    if not found:
        session.warn("nothing was measured so far; `llmstack stats --watch` does")
    return code
