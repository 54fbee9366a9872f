"""One task's run: what was asked, where it shows, and the app that does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from llmstack.cli.guard import final
from llmstack.cli.options import Options, selection
from llmstack.domain.selection import Selection, Settings
from llmstack.errors import OK

if TYPE_CHECKING:
    from rich.text import Text

    from llmstack.app import App
    from llmstack.domain.outcome import RunResult
    from llmstack.domain.report import StatusReport, SyncReport
    from llmstack.domain.target import Target
    from llmstack.ui.blocks import Draw
    from llmstack.ui.console import Streams
    from llmstack.ui.live import RunScreen


@dataclass(frozen=True)
class Session:
    """`door` is how the user spells our commands, `command` this one as it could be typed again."""

    task: str
    options: Options
    door: str = "invoke"
    command: str = ""
    reads_only: bool = False

    @property
    def selection(self) -> Selection:
        """What the user picked."""
        return selection(self.options)

    @cached_property
    def streams(self) -> Streams:
        """Both output streams."""
        from llmstack.ui.console import open_streams

        return open_streams(self.options.color, self.door)

    def screen(self, *, draw: Draw | None = None, keep: str = "all") -> RunScreen:
        """A listener that draws on stderr; with --quiet failures only."""
        from llmstack.ui.blocks import draw_start
        from llmstack.ui.live import RunScreen

        options = self.options
        kept = "none" if options.check else "failed" if options.quiet else keep
        return RunScreen(
            self.streams, draw=draw or draw_start, keep=kept, diff=options.diff and not (options.check or options.quiet)
        )

    @contextmanager
    def app(self, screen: RunScreen | None = None) -> Iterator[App]:
        """The app that does it, listened to by `screen`; closed in the end."""
        from llmstack.app import App

        options = self.options
        settings = Settings(
            inventory=options.inventory,
            store=options.store,
            timeout_s=options.timeout_s,
            lock_wait_s=options.lock_wait_s,
            command=self.command,
        )
        listener = screen or self.screen(keep="none")
        with listener:
            app = App(settings, listener)
            try:
                yield app
            finally:
                app.close()

    def answer(
        self,
        report: RunResult | StatusReport | SyncReport,
        targets: Iterable[Target],
        draw: Callable[[], Iterable[Text]],
    ) -> int:
        """Write the answer to stdout in the format asked for and return the exit code. A reader that went away ends a
        task that only reads (BrokenPipeError), but takes nothing from one that has done its work."""
        from llmstack.ui.console import put
        from llmstack.ui.formats import write_json, write_names

        out, code = self.streams.out, final(report.exit_code)
        with nullcontext() if self.reads_only else _forgiving():
            if self.options.output == "json":
                write_json(out, {**report.as_json(), "rc": code})
            elif self.options.output == "names":
                write_names(out, targets)
            else:
                put(out, draw())
            out.file.flush()
        return code

    def document(self, document: Mapping[str, object]) -> int:
        """Write the one JSON document of a task that went well; returns 0."""
        from llmstack.ui.formats import write_json

        write_json(self.streams.out, document)
        self.streams.out.file.flush()
        return OK

    def complain(self, lines: Iterable[Text]) -> None:
        """Write to stderr, however quiet it is to be."""
        from llmstack.ui.console import put

        put(self.streams.err, lines)

    def talk(self, lines: Iterable[Text]) -> None:
        """Write to stderr, unless the user wants quiet."""
        if not self.options.quiet:
            self.complain(lines)

    def finish(self, result: RunResult, screen: RunScreen, *, checked: bool = False) -> int:
        """Answer with a run: its plan if it was a check, then the recap and the next step."""
        from llmstack.ui.recap import next_step, recap_lines

        targets = [outcome.target for outcome in result.outcomes]
        code = self.answer(result, targets, lambda: self._plan(result, screen) if checked else ())
        if not checked:
            self.talk(recap_lines(result))
            self.talk(next_step(result, self.streams))
        return code

    def _plan(self, result: RunResult, screen: RunScreen) -> Iterator[Text]:
        from llmstack.domain.plan import Plan
        from llmstack.ui.plan import plan_lines

        plan = screen.plan or Plan(tuple(outcome.action for outcome in result.outcomes if outcome.action))
        return plan_lines(plan, self.streams, diff=self.options.diff, checked=True)


@contextmanager
def _forgiving() -> Iterator[None]:
    from llmstack.cli.pipes import hang_up

    try:
        yield
    except BrokenPipeError:
        hang_up()
