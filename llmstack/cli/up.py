"""`up`."""

from __future__ import annotations

from llmstack.cli.flags import CHANGE, ORPHANS, RE_DECIDE, WAIT
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*CHANGE, WAIT, ORPHANS, RE_DECIDE, examples=("up --model demo", "up --check --diff"))
def up(session: Session) -> int:
    """Start what the inventory wants, and prove that each model answers.

    Without names everything is meant; what a picked service depends on comes along. A second run changes nothing.
    """
    return session.carry_out(lambda app: app.up)
