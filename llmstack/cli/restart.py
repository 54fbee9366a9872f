"""`restart`."""

from __future__ import annotations

from llmstack.cli.flags import CHANGE, WAIT
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*CHANGE, WAIT, examples=("restart --model demo", "restart --service ollama --limit gpu01"))
def restart(session: Session) -> int:
    """Stop what is picked, start it again, and prove that it answers.

    A model of a shared service is unloaded and loaded; what is not there is not made.
    """
    with session.app(session.screen()) as app:
        result = app.restart(session.selection, session.options)
    return session.finish(result)
