"""`pull`."""

from __future__ import annotations

from llmstack.cli.flags import CHANGE
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*CHANGE, examples=("pull", "pull --model llama3 --limit gpu"))
def pull(session: Session) -> int:
    """Fetch images and models, so that a later `up` need not wait."""
    return session.carry_out(lambda app: app.pull)
