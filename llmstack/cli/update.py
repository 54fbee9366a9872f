"""`update`."""

from __future__ import annotations

from llmstack.cli.flags import CHANGE, RE_DECIDE, WAIT
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*CHANGE, WAIT, RE_DECIDE, examples=("update --check --diff", "update --service ollama"))
def update(session: Session) -> int:
    """As `up`, and take newer images and models of the same name, and newer defaults.

    `up` never replaces anything because a tag or a default of llmstack or a plugin changed; this does. What does not
    get ready is rolled back at once, and `rollback` does so later.
    """
    return session.carry_out(lambda app: app.update)
