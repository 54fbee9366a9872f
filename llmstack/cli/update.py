"""`update`."""

from __future__ import annotations

from llmstack.cli.flags import CHANGE, RE_DECIDE, WAIT
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*CHANGE, WAIT, RE_DECIDE, examples=("update --check --diff", "update --service ollama"))
def update(session: Session) -> int:
    """As `up`, and take what newer defaults of llmstack and its plugins would launch otherwise.

    `up` never replaces anything because a default changed; this does.
    """
    return session.carry_out(lambda app: app.update)
