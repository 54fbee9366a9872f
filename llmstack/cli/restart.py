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
    return session.carry_out(lambda app: app.restart)
