"""The log of one instance, as far as it can explain what happens now."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from llmstack.domain.clean import clean, masked
from llmstack.errors import LlmstackError
from llmstack.protocols import Engine

KEPT_LINES = 400


class LogView:
    """Lines since a mark: what an earlier start wrote explains nothing now. A log that cannot be read is empty."""

    def __init__(self) -> None:
        self._skipped = 0

    def skip(self, engine: Engine, name: str) -> None:
        """Set the mark behind the last line that is there."""
        self._skipped = sum(1 for _ in _lines(engine, name))

    def tail(self, engine: Engine, name: str, secrets: Sequence[str] = ()) -> tuple[int, list[str]]:
        """The number (from 1, in the whole log) of the first of the last lines since the mark, and those lines, without
        control characters and what is secret."""
        count, kept = 0, deque[str](maxlen=KEPT_LINES)
        for count, line in enumerate(_lines(engine, name), 1):  # noqa: B007 - counts on after the loop
            kept.append(line)
        rotated = count < self._skipped
        fresh = min(len(kept), count if rotated else count - self._skipped)
        lines = [masked(clean(line), secrets) for line in list(kept)[len(kept) - fresh :]]
        return count - fresh + 1, lines


def last_line(engine: Engine, name: str) -> str:
    """The last line, empty when there is none."""
    return next(_lines(engine, name, tail=1), "")


def _lines(engine: Engine, name: str, tail: int | None = None) -> Iterator[str]:
    try:
        yield from engine.logs(name, tail=tail)
    except LlmstackError:
        return
