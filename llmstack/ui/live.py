"""The screen of a run: listens to its events, redraws on a terminal, writes plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, cast

from llmstack.domain.event import Event, EventType
from llmstack.domain.ladder import RungResult
from llmstack.domain.outcome import Outcome
from llmstack.domain.plan import Plan
from llmstack.domain.target import Target
from llmstack.domain.units import duration, size
from llmstack.errors import LockedError
from llmstack.ui.clean import line
from llmstack.ui.console import Console
from llmstack.ui.plan import plan_lines
from llmstack.ui.problems import error_lines, warning_line
from llmstack.ui.rungs import head_line, outcome_lines, rung_lines
from llmstack.ui.text import Text

if TYPE_CHECKING:
    from llmstack.domain.progress import Progress
    from llmstack.ui.fetch import Fetch
    from llmstack.ui.redraw import Moving

MOMENT_S = 1.0


@dataclass(slots=True)
class _Block:
    """One target that is being worked on, as its events tell; `since` is seconds since the epoch."""

    target: Target
    since: float
    about: str = ""
    told: bool = False
    rungs: list[RungResult] = field(default_factory=list)
    fetches: dict[str, Fetch] = field(default_factory=dict)

    def moving(self, width: int, now: float) -> Iterator[Text]:
        """What is known of it, and how long it has been going on."""
        yield head_line(self.target, self.about)
        yield from (line("  ", fetch.line(bar=True)) for fetch in list(self.fetches.values()))
        yield from rung_lines(self.rungs, width)
        yield _passed(self.since, now)


class RunScreen:
    """A Sink. What is over stays on the screen: everything with `keep`, but only failures when `quiet`; without `keep`
    nothing moves before it has taken a moment. `plan` shows what is going to be done and why, `diff`
    each field of it too. `now` gives seconds since the epoch."""

    def __init__(
        self,
        err: Console,
        *,
        keep: bool = True,
        quiet: bool = False,
        plan: bool = False,
        diff: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._err, self._keep, self._quiet, self._now = err, keep, quiet, now
        self._plan, self._diff = plan or diff, diff
        self._lock = threading.Lock()
        self._blocks: dict[Target, _Block] = {}
        self._locks = set[str]()
        self._headed: Target | None = None
        self._moving: Moving | None = None
        self._moves = err.redraws and not quiet
        self._plain = keep and not quiet and not self._moves and err.progress != "none"

    def __enter__(self) -> Self:
        self._since = self._now()
        self._later = threading.Timer(MOMENT_S, self._move)
        self._later.daemon = True
        if self._moves and self._keep:
            self._move()
        elif self._moves:
            self._later.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._later.cancel()
        with self._lock:
            self._moves = False
        if self._moving:
            self._moving.stop()
            self._err.above = self._moving = None

    def _move(self) -> None:
        from llmstack.ui.redraw import Moving

        with self._lock:
            if self._moves:
                self._moving = Moving(self._err.file, self._rows, colour=self._err.colour)
                self._err.above = self._moving.print
                self._moving.start()

    def emit(self, event: Event) -> None:
        """Take one event, from any thread."""
        plan = event.data.get("plan")
        with self._lock, suppress(OSError):
            if event.type is EventType.WARNING:
                self._say(warning_line(event.message))
            elif isinstance(plan, Plan) and self._plan:
                self._say(*plan_lines(plan.actions, diff=self._diff, checked=False))
            elif event.target:
                self._take(event, self._blocks.setdefault(event.target, _Block(event.target, event.ts)))

    def _take(self, event: Event, block: _Block) -> None:
        match event.data:
            case {"rung": RungResult() as rung}:
                block.rungs.append(rung)
            case {"progress": progress}:
                self._fetch(block, cast("Progress", progress), event.ts)
            case {"outcome": Outcome() as outcome}:
                self._finish(block, outcome)
            case _ if event.type is EventType.START and event.message:
                block.about = event.message
                if self._plain:
                    block.told = True
                    self._say(head_line(block.target, block.about))
                    self._headed = block.target

    def _fetch(self, block: _Block, progress: Progress, at: float) -> None:
        from llmstack.ui.fetch import Fetch

        fetch = block.fetches.setdefault(progress.item, Fetch(at, progress))
        fetch.latest, fetch.at = progress, at
        if self._plain and fetch.due():
            self._say(line(f"{block.target}  ", fetch.line(bar=False)))

    def _finish(self, block: _Block, outcome: Outcome) -> None:
        del self._blocks[block.target]
        if self._moving:
            self._moving.refresh()  # what is over leaves the moving part before it is printed above it
        if not self._keep or (self._quiet and not outcome.error):
            return
        if isinstance(outcome.error, LockedError):  # one of a host, which all targets there share
            if outcome.error.message not in self._locks:
                self._locks.add(outcome.error.message)
                self._say(*error_lines(outcome.error))
            return
        rungs = outcome.ladder.rungs if outcome.ladder else block.rungs
        headed = self._headed == block.target  # its first line stands, and nothing else was said since
        head = [head_line(block.target, "" if block.told else block.about)] if rungs and not headed else []
        fetched = () if outcome.error else block.fetches.values()  # what was cut short has no size
        sizes = [size(fetch.latest.total_bytes) for fetch in fetched if fetch.latest.total_bytes]
        more = "".join(f"  {part}" for part in (*sizes, *outcome.urls))
        self._say(*head, *outcome_lines(outcome, rungs, self._err.width, more))

    def _say(self, *lines: Text) -> None:
        self._headed = None
        self._err.put(lines)

    def _rows(self) -> Iterator[Text]:
        """The moving part. Asked for under Live's lock, so it must not wait for ours."""
        width, now = self._err.width, self._now()
        if not self._blocks:
            return iter([_passed(self._since, now)])
        return (row for block in list(self._blocks.values()) for row in block.moving(width, now))


def _passed(since: float, now: float) -> Text:
    return line((f"  … {duration(max(0.0, now - since))}", "dim"))
