"""`rollback`."""

from __future__ import annotations

from llmstack.cli.flags import CHANGE, WAIT
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*CHANGE, WAIT, examples=("rollback --service webui --check --diff", "rollback --model qwen"))
def rollback(session: Session) -> int:
    """Go back to the image, or the version of a model, that was proved ready before.

    A service is replaced as by `up`, and stays so until `update` takes what is newer. Its configuration and data stay.
    A model of a shared service has the version back that it had before its update.
    """
    with session.app(session.screen()) as app:
        result = app.rollback(session.selection, session.options)
    return session.finish(result)
