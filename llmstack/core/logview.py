"""The log of one instance, as far as it can explain what happens now."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.remedy import more_memory
from llmstack.core.why import explain
from llmstack.domain.clean import clean, masked
from llmstack.domain.instance import Instance
from llmstack.domain.ladder import Why
from llmstack.domain.secret import revealed
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
    with suppress(LlmstackError):
        yield from engine.logs(name, tail=tail)


class Listens:
    """The part of a climb that reads its instance's log."""

    context: Context
    wanted: Wanted
    there: Instance | None
    log: LogView

    def why(self, there: Instance | None, otherwise: str, do: str | None = None) -> Why:
        """Why this instance failed, from its engine's facts and its log; `do` is advised where those tell nothing."""
        first, lines = self._log()
        found = explain(there, lines, self.wanted.kind.failures, otherwise, first=first)
        starved = found.out_of_memory and found.key == "resources.memory"
        if more := more_memory(there.spec) if starved and there else None:
            which = "model" if self.wanted.placement.own_model else "service"
            fix = f"llmstack why --{which} {self.wanted.target.name} --fix"
            do = f"raise resources.memory to {more} ({fix}), or use a smaller context or model"
            return replace(found, do=do)
        return replace(found, do=found.do or do)

    def _log(self) -> tuple[int, list[str]]:
        if self.there is None or self.wanted.external:
            return 1, []
        secrets = revealed(self.wanted.spec.secrets.values()) if self.wanted.spec else ()
        return self.log.tail(self.context.engine(self.wanted), self.there.container_name, secrets)

    def skip_log(self) -> None:
        """Ask the log only for what is written from now on."""
        if self.there:
            self.log.skip(self.context.engine(self.wanted), self.there.container_name)

    def last_line(self) -> str:
        """The last line of its log; a new one is progress."""
        if self.wanted.external or self.there is None:
            return ""
        return last_line(self.context.engine(self.wanted), self.there.container_name)
