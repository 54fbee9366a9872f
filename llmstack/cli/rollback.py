"""`rollback`."""

from __future__ import annotations

from llmstack.cli.flags import CHANGE, WAIT
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.errors import UsageError


@verb(*CHANGE, WAIT, examples=("rollback --service webui --check --diff", "rollback --model qwen"))
def rollback(session: Session) -> int:
    """Go back to the image, or the version of a model, that was proved ready before.

    A service is replaced as by `up`, and stays so until `update` takes what is newer. Its configuration and data stay.
    A model has the version, or the model file, back that it had before its update.
    """
    if session.selection.everything:
        raise UsageError("rollback is of what it is told, never of everything", "name it with --service or --model")
    return session.carry_out(lambda app: app.rollback)
