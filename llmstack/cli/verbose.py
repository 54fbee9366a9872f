"""`-vv` and `-vvv`: what is logged while a task runs, on stderr."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmstack.ui.console import Console

CALLS = ("llmstack", "urllib3.connectionpool")
"""Who logs the calls of engines and servers."""


@contextmanager
def heard(err: Console, level: int) -> Iterator[None]:
    """While it lasts, calls are shown from level 2 on, and everything that anybody logs from 3 on."""
    if level < 2:
        yield
        return
    handler = _Handler(err)
    loggers = [logging.getLogger(name) for name in (CALLS if level == 2 else (None,))]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(was)


class _Handler(logging.Handler):
    def __init__(self, err: Console) -> None:
        super().__init__()
        self._err = err

    def emit(self, record: logging.LogRecord) -> None:
        """Show it, without what may be secret: queries of URLs, and what looks like a password."""
        from llmstack.domain.clean import masked
        from llmstack.ui.clean import line

        if str(record.msg).startswith("Starting new HTTP"):
            return  # the request itself comes next
        self._err.put([line((f"{record.name}: {masked(record.getMessage())}", "dim"))])
