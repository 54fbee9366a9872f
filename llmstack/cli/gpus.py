"""`gpus`."""

from __future__ import annotations

from llmstack.cli.flags import OUTPUT
from llmstack.cli.session import Session
from llmstack.cli.task import verb


@verb(OUTPUT, kind="gpus", reads_only=True, examples=("gpus", "gpus -o json"))
def gpus(session: Session) -> int:
    """Show this machine's NVIDIA GPUs, and who holds their memory: instances, other containers, other processes.

    Fails when the driver does not tell, and says why; a machine without GPUs is an answer.
    """
    from llmstack.ui.gpus import gpu_lines

    with session.app() as app:
        found = app.gpus_now()
    code = session.answer(session.document(held.as_json() for held in found), gpu_lines(found, session.out.width))
    if not found:
        session.warn("this machine has no NVIDIA GPU, or no driver for one")
    return code
