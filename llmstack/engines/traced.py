"""Each call of an engine in the log, for who asked to see them."""

from __future__ import annotations

import logging
import time
from typing import Any, cast

from llmstack.protocols import Engine

LOG = logging.getLogger("llmstack.engines")


def traced(engine: Engine, where: str) -> Engine:
    """`engine`, or where somebody listens one that logs each call, with names and numbers but no specs."""
    return cast("Engine", _Traced(engine, where)) if LOG.isEnabledFor(logging.DEBUG) else engine


class _Traced:
    def __init__(self, engine: Engine, where: str) -> None:
        self._engine, self._where = engine, where

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        if not callable(found):
            return found

        def call(*args: object, **kwargs: object) -> object:
            told = ", ".join(str(arg) for arg in (*args, *kwargs.values()) if isinstance(arg, str | int | float))
            began = time.monotonic()
            try:
                return found(*args, **kwargs)
            finally:
                LOG.debug("%s %s(%s) %.0f ms", self._where, name, told, (time.monotonic() - began) * 1000)

        return call
