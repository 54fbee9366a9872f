"""Let the requests that a server answers end before it is stopped."""

from __future__ import annotations

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.domain.instance import Instance
from llmstack.errors import ServerError

LOOK_AGAIN_S = 0.25


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
