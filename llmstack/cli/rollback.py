"""`rollback`."""

from __future__ import annotations

from llmstack.cli.flags import CHANGE, WAIT
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*CHANGE, WAIT, examples=("rollback --service webui --check --diff", "rollback --model qwen"))
def rollback(session: Session) -> int:
    """Go back to the image that was proved ready before the one that runs.

    It is replaced as by `up`, and stays so until `update` takes what is newer. Configuration and data stay as they are.
    """
    with session.app(session.screen()) as app:
        result = app.rollback(session.selection, session.options)
    return session.finish(result)
