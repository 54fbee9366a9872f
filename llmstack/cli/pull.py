"""`pull`."""

from __future__ import annotations

from llmstack.cli.flags import CHANGE
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(*CHANGE, examples=("pull --model llama3 --limit gpu", "pull --check"))
def pull(session: Session) -> int:
    """Fetch images and models, so that a later `up` need not wait.

    What broke off goes on where it was. With --check it says what is missing, and which models have a newer version.
    """
    return session.carry_out(lambda app: app.pull)
