"""One cheap look at a server: what its answer, or the lack of one, says about its life."""

from __future__ import annotations

from collections.abc import Callable

from llmstack.domain.server import Life, Liveness
from llmstack.errors import ServerError

_LIVES = {"refused": Life.SILENT, "reset": Life.SILENT, "loading": Life.LOADING, "denied": Life.READY}


def look(probe: Callable[[], object]) -> Liveness:
    """Ready when `probe` passes; else what its ServerError means.

    A reset is as silent as a refusal, but tells that a port is published: a container's proxy accepts before anyone
    listens behind it. 503 means loading, 429 and a refused key mean alive.
    """
    try:
        probe()
    except ServerError as error:
        return Liveness(_life(error), error.message, error.kind != "refused", error.kind == "timeout")
    return Liveness(Life.READY)


def _life(error: ServerError) -> Life:
    if error.kind == "busy":
        return Life.READY if error.status == 429 else Life.LOADING
    return _LIVES.get(error.kind, Life.FAILING)
