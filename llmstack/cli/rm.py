"""`rm`."""

from __future__ import annotations

from dataclasses import replace

from llmstack.cli.flags import CHANGE, CHECK, YES
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.domain.outcome import Status
from llmstack.errors import UsageError


@verb(*CHANGE, examples=("rm --model llama3", "rm --model llama3 --limit gpu01 --yes"))
def rm(session: Session) -> int:
    """Delete models from the servers that keep them; asks before it does, where there is something to delete.

    What is deleted has to be pulled again. `down` stops a service and keeps its models.
    """
    picked = session.selection
    if picked.everything:
        raise UsageError("rm deletes what it is told to, never everything", "name models with --model")
    if not (session[CHECK] or session[YES]):
        with session.app() as app:
            planned = app.rm(picked, replace(session.options, check=True))
        if doomed := [str(outcome.target) for outcome in planned.outcomes if outcome.status is Status.WOULD_CHANGE]:
            session.confirm(f"Delete {', '.join(doomed)} from disk?")
    return session.carry_out(lambda app: app.rm)
