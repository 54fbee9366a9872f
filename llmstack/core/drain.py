"""The requests that a server answers: they end before it is stopped, and busy is not sick."""

from __future__ import annotations

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.domain.instance import Instance
from llmstack.errors import LlmstackError, ServerError

LOOK_AGAIN_S = 0.25
AT_WORK_PERCENT = 5.0
"""Of one core; a server that waits uses next to nothing, and one that is stopped or waits for a lost GPU nothing."""


def drain(context: Context, wanted: Wanted, there: Instance) -> None:
    """Wait until none is in flight, `update.drain_s` seconds at most; a server that cannot tell is not waited for.

    New ones still come in: nothing stands between clients and server that could hold them back.
    """
    deadline = context.clock.monotonic() + wanted.placement.service.update.drain_s
    while count := in_flight(context, wanted, there):
        context.check()
        if context.clock.monotonic() >= deadline:
            context.warn(f"{wanted.target} still answers {count} request{'' if count == 1 else 's'}; they are cut off")
            return
        context.clock.sleep(LOOK_AGAIN_S)


def in_flight(context: Context, wanted: Wanted, there: Instance) -> int | None:
    """Requests that a server answers right now; None when it does not tell."""
    client = context.client(wanted, there) if there.running and wanted.type else None
    try:
        return client.in_flight() if client else None
    except ServerError:
        return None


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
