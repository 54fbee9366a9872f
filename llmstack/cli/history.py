"""`history`."""

from __future__ import annotations

from llmstack.cli.flags import LAST, MODEL, OUTPUT, RUN
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.errors import UsageError


@verb(RUN, MODEL, LAST, OUTPUT, kind="history", reads_only=True, examples=("history", "history --model demo --last 5"))
def history(session: Session) -> int:
    """Show what was done before, by whom, and what came of it; asks the store alone.

    With --run one run in full; with --model, which takes services too, what was done with it, and why.
    """
    from llmstack.ui.clean import line
    from llmstack.ui.history import action_lines, history_lines, run_lines

    run_id, picked = session[RUN], session.selection
    if run_id and picked.models:
        raise UsageError("--run shows one run as a whole", "leave --model out")
    with session.app() as app:
        runs = app.history(picked, run_id=run_id, limit=session[LAST])
    lines = action_lines(runs, session.out.width) if picked.models else history_lines(runs, session.out.width)
    if run_id:
        lines = run_lines(runs[0], session.out.width)
    code = session.answer(session.document(run.as_json() for run in runs), lines)
    if not runs:
        session.talk([line("no run is remembered so far")])
    return code
