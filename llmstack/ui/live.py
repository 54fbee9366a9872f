"""The screen of a run: listens to its events, redraws on a terminal, writes plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import TracebackType
from typing import Self

from rich.console import Group
from rich.live import Live
from rich.text import Text

from llmstack.domain.event import Event, EventType
from llmstack.domain.plan import Plan
from llmstack.domain.target import Target
from llmstack.ui.blocks import Block, Draw, draw_start, waiting
from llmstack.ui.clean import clean
from llmstack.ui.console import Streams, put
from llmstack.ui.plan import plan_lines
from llmstack.ui.problems import warning_line
from llmstack.ui.progress import fetch_line
from llmstack.ui.rungs import head_line

_REDRAWS_PER_S = 8


class RunScreen:
    """A Sink. `keep` says which finished blocks stay on the screen: all, only failures (`failed`), or none; `diff`
    shows the plan with its fields before it is applied. `now` gives seconds since the epoch."""

    def __init__(
        self,
        streams: Streams,
        *,
        draw: Draw = draw_start,
        keep: str = "all",
        diff: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._streams, self._draw, self._keep, self._diff, self._now = streams, draw, keep, diff, now
        self._lock = threading.Lock()
        self._blocks: dict[Target, Block] = {}
        self._engines: dict[str, str] = {}
        self._host: str | None = None
        self._begun: Target | None = None
        self._live: Live | None = None
        # Drawn in `emit`, not in the redrawing thread: that one holds Live's lock, and so must not wait for ours.
        self._frame: tuple[tuple[Block, list[Text]], ...] = ()
        self.plan: Plan | None = None
        self.abouts: dict[Target, str] = {}

    def __enter__(self) -> Self:
        if self._streams.live and self._keep != "failed":
            self._live = Live(
                console=self._streams.err,
                get_renderable=self._moving,
                refresh_per_second=_REDRAWS_PER_S,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def emit(self, event: Event) -> None:
        """Take one event, from any thread."""
        with self._lock, suppress(OSError):
            if event.type is EventType.WARNING:
                self._say(warning_line(event.message, self._streams))
            elif event.type is EventType.PLAN:
                self._take_plan(event.data.get("plan"))
            elif event.target is not None:
                self._take(event, event.target)
            self._take_picture()

    def _take_plan(self, plan: object) -> None:
        if not isinstance(plan, Plan):
            return
        self.plan = plan
        for action in plan.actions:
            if action.spec:
                self._engines.setdefault(action.target.host, action.spec.engine)
        if self._diff:
            self._say(*plan_lines(plan, self._streams, diff=True, checked=False))

    def _take(self, event: Event, target: Target) -> None:
        new = target not in self._blocks
        block = self._blocks.setdefault(target, Block(target, event.ts))
        block.take(event)
        if block.about:
            self.abouts[target] = block.about
        engine = event.data.get("engine")
        if isinstance(engine, str):
            self._engines[target.host] = engine
        if event.type is EventType.RESULT:
            del self._blocks[target]
            self._take_picture()
            if self._live:
                self._live.refresh()  # what is over leaves the moving part before it is printed above it
            self._finish(block)
        elif not self._live and self._keep == "all":
            self._plain(block, event, new)

    def _plain(self, block: Block, event: Event, new: bool) -> None:
        if new and event.type is EventType.START and self._draw is draw_start:
            self._say(*self._header(block.target.host), head_line(block.target, block.about))
            self._begun = block.target
        for fetch in block.fetches.values() if event.type is EventType.PROGRESS else ():
            told_at_the_end = fetch.latest.done and self._draw is not draw_start
            if not told_at_the_end and fetch.due(event.ts):
                self._say(fetch_line(fetch, block.target.host, bar=False))

    def _finish(self, block: Block) -> None:
        failed = block.outcome is not None and block.outcome.error is not None
        if self._keep == "all" or (self._keep == "failed" and failed):
            # Off a terminal its first line stands already, unless something else was said since.
            begun = 1 if self._begun == block.target else 0
            self._say(*self._header(block.target.host), *list(self._draw(block, self._streams))[begun:])

    def _header(self, host: str) -> Iterator[Text]:
        if self._draw is draw_start and host != self._host:
            self._host = host
            engine = clean(self._engines.get(host, ""))
            about = f" · {engine}" if " " in engine else f" · {engine} engine" if engine else ""
            yield Text.assemble((clean(host), "bold"), about)

    def _say(self, *lines: Text) -> None:
        self._begun = None
        put(self._streams.err, lines)

    def _take_picture(self) -> None:
        if self._live:
            self._frame = tuple((block, list(self._draw(block, self._streams))) for block in self._blocks.values())

    def _moving(self) -> Group:
        lines = [line for block, drawn in self._frame for line in (*drawn, waiting(block, self._now()))]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)
