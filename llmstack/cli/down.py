"""`down`."""

from __future__ import annotations

from llmstack.cli.flags import CHANGE, ORPHANS
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*CHANGE, ORPHANS, examples=("down --model demo", "down --orphans --check"))
def down(session: Session) -> int:
    """Stop and remove; weights and caches stay.

    Returns when it is verified to be gone, and its port free. Nothing to remove is no failure.
    """
    return session.carry_out(lambda app: app.down)
