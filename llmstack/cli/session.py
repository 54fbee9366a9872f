"""One task's run: what was asked, where it shows, and the app that does it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from llmstack.cli import flags as known
from llmstack.cli.flags import Flag, T
from llmstack.cli.guard import final
from llmstack.cli.picked import kept_command, selection, to_copy
from llmstack.cli.streams import answering, unread, write
from llmstack.errors import CHANGES, OK, DeclinedError, InterruptedRunError, LlmstackError, OutputError, exit_code_of

if TYPE_CHECKING:
    from llmstack.app import App
    from llmstack.cli.events import Lines
    from llmstack.domain.outcome import RunResult
    from llmstack.domain.selection import RunOptions, Selection
    from llmstack.ui.console import Console
    from llmstack.ui.live import RunScreen
    from llmstack.ui.text import Text

Do = Callable[["App"], Callable[["Selection", "RunOptions"], "RunResult"]]
"""A verb of an app."""
_DO_IT = {flag.key: None for flag in (known.CHECK, known.DIFF, known.EXIT_CODE, known.OUTPUT)}
"""What a command that only shows has, and the one that does it has not."""
ENDS = {"names": "\n", "names0": "\0"}
"""What stands behind each name."""


@dataclass(eq=False)
class Session:
    """`door` is how the user spells our commands, `values` what was given for `flags`, `kind` the word for the task's
    JSON document; a task that `reads_only` may be cut off, and one that is `endless` is by Ctrl-C, each of its looks
    without the errors that were `told` before."""

    door: str
    task: str | None = None
    flags: Sequence[Flag[Any]] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "run"
    reads_only: bool = False
    endless: bool = False
    warnings: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    _lost: OutputError | None = None

    def __getitem__(self, flag: Flag[T]) -> T:
        """The value of a flag, by the task's own formats. Raises UsageError or ConfigError."""
        own = next((own for own in self.flags if own.name == flag.name), flag)
        value: T = own.value(self.values.get(flag.key))
        return value

    def checked(self) -> Session:
        """Itself, once every value is known to be good. Raises UsageError or ConfigError."""
        for flag in self.flags:
            self[flag]
        return self

    def leniently(self, flag: Flag[T]) -> T:
        """The value of a flag, its default where it cannot be read."""
        try:
            return self[flag]
        except LlmstackError:
            return flag.default

    @property
    def selection(self) -> Selection:
        """What the user picked. Raises UsageError."""
        more = {"services": known.SERVICE, "hosts": known.HOST, "exclude": known.EXCLUDE, "tags": known.TAGS}
        return selection(self[known.MODEL], **{key: self[flag] for key, flag in more.items()})

    @property
    def options(self) -> RunOptions:
        """How the task goes about it."""
        from llmstack.domain.selection import RunOptions

        told: tuple[Flag[Any], ...] = (known.CHECK, known.WAIT, known.ORPHANS, known.RE_DECIDE, known.FILE)
        return RunOptions(**{flag.key: self[flag] for flag in told})

    def confirm(self, what: str) -> None:
        """Ask before something is lost for good: `what` ends in a question mark.

        Raises DeclinedError when the answer is no, or when there is nobody to ask.
        """
        if self[known.YES]:
            return
        hint = f"to do it without being asked: {to_copy(self, 'with --yes', {known.YES.key: True})}"
        if not self.terminal:
            raise DeclinedError(f"nobody is here to answer: {what}", hint)
        if self.ask(what, "y/N").lower() not in ("y", "yes"):
            raise DeclinedError("not confirmed; nothing was changed", hint)

    @property
    def terminal(self) -> bool:
        """Whether somebody is there to answer."""
        return bool(sys.stdin and sys.stdin.isatty() and sys.stderr.isatty())

    def ask(self, question: str, default: str) -> str:
        """What the user answers; `default` for an empty line."""
        from llmstack.ui.clean import line

        self.err.prompt(line((question, "bold"), f" [{default}] "))
        return sys.stdin.readline().strip() or default

    @cached_property
    def out(self) -> Console:
        """Where the answer goes; a file gets no codes of a terminal."""
        progress = self.leniently(known.PROGRESS)
        return self._console(sys.stdout, "auto" if progress == "tty" else progress)

    @cached_property
    def err(self) -> Console:
        """Where everything else goes."""
        return self._console(sys.stderr, self.leniently(known.PROGRESS))

    def _console(self, stream: TextIO, progress: str) -> Console:
        from llmstack.ui.console import Console

        color, talk = self.leniently(known.COLOR), stream is sys.stderr
        return Console(stream, talk=talk, color=color, progress=progress, door=self.door, flags=self._again)

    @property
    def _again(self) -> str:
        """What a command that we name needs too, to be about the same inventory."""
        given = self.values.get(known.INVENTORY.key)
        return f" --{known.INVENTORY.name} {shlex.quote(given)}" if given else ""

    @cached_property
    def lines(self) -> Lines:
        """The answer in lines of JSON."""
        from llmstack.cli.events import Lines

        return Lines(self.task, self._write_line)

    def _write_line(self, text: str) -> None:
        with self._delivering():
            self.write(text)

    @contextmanager
    def _delivering(self) -> Iterator[None]:
        """What keeps an answer from being written ends a task that only reads (BrokenPipeError, OutputError), but takes
        nothing from one that has work to do, or has done it."""
        try:
            with nullcontext() if self.reads_only else unread():
                yield
        except OutputError as error:
            if self.reads_only:
                raise
            self._lost = error

    def screen(self, *, keep: bool = True) -> RunScreen:
        """A listener that draws on stderr what is done, and with `keep` leaves it there."""
        from llmstack.ui.live import RunScreen

        quiet = self[known.QUIET]
        ahead = not (self[known.CHECK] or quiet)
        plan, diff = ahead and self[known.VERBOSE] > 0, ahead and self[known.DIFF]
        return RunScreen(self.err, keep=keep, quiet=quiet, plan=plan, diff=diff)

    @contextmanager
    def app(self, screen: RunScreen | None = None) -> Iterator[App]:
        """The app that does it, listened to by `screen`; closed in the end."""
        from llmstack.app import App
        from llmstack.cli.events import Listeners
        from llmstack.cli.verbose import heard
        from llmstack.domain.selection import Settings
        from llmstack.ui.live import RunScreen

        settings = Settings(
            inventory=self[known.INVENTORY],
            store=self[known.STORE],
            forks=self[known.FORKS],
            timeout_s=self[known.TIMEOUT],
            lock_wait_s=self[known.LOCK_WAIT],
            task=self.task,
            command=kept_command(self.door, self.task or "", self.flags, self.values),
            extra=self[known.EXTRA],
        )
        with heard(self.err, self[known.VERBOSE]), screen or RunScreen(self.err, quiet=True) as shown:
            others = [self.lines] if self[known.OUTPUT] == "ndjson" else []
            app = App(settings, Listeners(shown, *others, texts=self.warnings, quiet=self[known.QUIET]))
            try:
                yield app
            finally:
                app.close()

    def answer(self, document: Mapping[str, Any], lines: Iterable[Text] = ()) -> int:
        """Write the answer to stdout in the format asked for and return the exit code."""
        code = final(document["rc"])
        with self._delivering():
            self._answer({**document, "rc": code}, lines)
        if not self._lost:
            return code
        self.tell(self._lost)
        return code or self._lost.exit_code

    def _answer(self, document: Mapping[str, Any], lines: Iterable[Text]) -> None:
        from llmstack.domain.clean import clean

        wanted = self.leniently(known.OUTPUT)
        if wanted == "json":
            self.write(json.dumps({**document, "warnings": self.warnings}, indent=2, default=str) + "\n")
        elif wanted == "junit":
            from llmstack.cli.junit import junit

            self.write(junit(document))
        elif wanted == "ndjson":
            self.lines.finish(document)
        elif wanted in ENDS:
            names = dict.fromkeys(clean(item.get("target") or item["id"]) for item in document["items"])
            self.write("".join(f"{name}{ENDS[wanted]}" for name in names))
        else:
            with answering():
                self.out.put(lines)
                self.out.file.flush()

    def noticed(self, document: Mapping[str, Any], *, changed: bool) -> Mapping[str, Any]:
        """With the code for a change that was found, where that was asked for and nothing failed."""
        return {**document, "rc": document["rc"] or (CHANGES if changed and self[known.EXIT_CODE] else OK)}

    def write(self, text: str) -> None:
        """Write to stdout at once, as it is. Raises BrokenPipeError or OutputError."""
        write(text)

    def document(
        self, items: Iterable[Mapping[str, Any]], *errors: LlmstackError, kind: str | None = None
    ) -> dict[str, Any]:
        """The JSON document of a task without a report of its own."""
        rc, told = exit_code_of(error.exit_code for error in errors), [error.as_json() for error in errors]
        return {"v": 1, "kind": kind or self.kind, "task": self.task, "rc": rc, "items": list(items), "errors": told}

    def tell(self, *errors: LlmstackError) -> None:
        """Show errors on stderr, however quiet it is to be."""
        from llmstack.ui.problems import error_lines

        self.err.put(error_lines(*errors))

    def fail(self, error: LlmstackError) -> None:
        """Show what ended the task, unless it was to end so, and as its document on stdout where one was asked for."""
        if not (self.endless and isinstance(error, InterruptedRunError)):
            self.tell(error)
        elif self.err.terminal:
            self.err.file.write("\n")  # behind ^C
        self.answer(self.document((), error))

    def warn(self, message: str) -> None:
        """Write a warning to stderr, unless the user wants quiet."""
        from llmstack.ui.problems import warning_line

        self.warnings.append(message)
        self.talk([warning_line(message)])

    def talk(self, lines: Iterable[Text]) -> None:
        """Write to stderr, unless the user wants quiet."""
        if not self[known.QUIET]:
            self.err.put(lines)

    def carry_out(self, verb: Do) -> int:
        """Do what an app has a verb for, and tell how it ended."""
        return self.done(lambda app: verb(app)(self.selection, self.options))

    def done(self, work: Callable[[App], RunResult]) -> int:
        """The same, of any work."""
        with self.app(self.screen()) as app:
            result = work(app)
        return self.finish(result)

    def look(self, ask: Callable[[App], T]) -> T:
        """What an app answers; what is done for that leaves nothing on the screen."""
        with self.app(self.screen(keep=False)) as app:
            return ask(app)

    def finish(self, result: RunResult) -> int:
        """Answer with a run: its plan if it was a check, else the recap and the next step."""
        from llmstack.ui.clean import line
        from llmstack.ui.plan import plan_lines
        from llmstack.ui.recap import next_step, recap_lines

        if self[known.CHECK]:
            actions = [outcome.action for outcome in result.outcomes if outcome.action]
            changes = any(action.kind.changes for action in actions)
            document = self.noticed(result.as_json(), changed=changes)
            code = self.answer(document, plan_lines(actions, diff=self[known.DIFF], checked=True))
            if changes and not result.exit_code:
                self.talk([line(("Do it:", "bold"), f"  {to_copy(self, 'without --check', _DO_IT)}")])
            return code
        code = self.answer(result.as_json())
        self.talk((*recap_lines(result), *next_step(result)))
        return code
