"""`rm`."""

from __future__ import annotations

from llmstack.cli.flags import CHANGE, CHECK
from llmstack.cli.session import Session
from llmstack.cli.task import verb
from llmstack.errors import UsageError


@verb(*CHANGE, examples=("rm --model llama3", "rm --model llama3 --limit gpu01 --yes"))
def rm(session: Session) -> int:
    """Delete models from the servers that keep them; asks before it does.

    What is deleted has to be pulled again. `down` stops a service and keeps its models.
    """
    picked = session.selection
    if picked.everything:
        raise UsageError("rm deletes what it is told to, never everything", "name models with --model")
    if not session[CHECK]:
        named = ", ".join((*picked.models, *picked.services)) or "all models that this picks"
        session.confirm(f"Delete {named} from the disk of every server that keeps it?")
    return session.carry_out(lambda app: app.rm)
