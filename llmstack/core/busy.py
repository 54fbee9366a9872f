"""Busy is not sick: a server that does not answer in time, but computes meanwhile, works on what others asked."""

from __future__ import annotations

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.drain import in_flight
from llmstack.domain.instance import Instance
from llmstack.errors import LlmstackError

AT_WORK_PERCENT = 5.0
"""Of one core; a server that waits uses next to nothing, and one that is stopped or waits for a lost GPU nothing."""


def at_work(context: Context, wanted: Wanted, there: Instance | None) -> str | None:
    """What it does, in words; None where it does nothing, or nobody can tell."""
    if wanted.external or there is None:
        return None
    try:
        usage = context.engine(wanted).usages((there.container_name,)).get(there.container_name)
    except LlmstackError:
        return None
    percent = usage.cpu_percent if usage else None
    if percent is None or percent < AT_WORK_PERCENT:
        return None
    count = in_flight(context, wanted, there)
    requests = f"{count} request{'' if count == 1 else 's'} under way, " if count else ""
    return f"busy, {requests}{percent:.0f} % CPU"
