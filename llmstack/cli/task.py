"""Our kind of Invoke task: explicit flags, no positionals, never dropped, exit codes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.executor import Executor
from invoke.parser.argument import Argument
from invoke.tasks import Task

from llmstack.cli.flags import ALLOW_EMPTY, COMMON, KEEP_GOING, Flag, near
from llmstack.cli.guard import guarded
from llmstack.cli.picked import NothingNamedError
from llmstack.cli.session import Session
from llmstack.errors import SIGINT, SIGPIPE, SIGTERM, NoMatchError, UsageError

SIGNALS = (SIGINT, SIGTERM, SIGPIPE)
Run = Callable[[Session], int]


class _Failed(Exit):
    """A task that failed, in a chain that goes on."""

    def __init__(self, code: int) -> None:
        super().__init__(code=code)


class Chain(Executor):
    """Runs the tasks of a line one by one: none is dropped, and a failure ends the line unless --keep-going was given.

    `invoke.yaml` names it, since plain Invoke asks no task which executor it wants.
    """

    def execute(self, *tasks: Any) -> dict[Any, Any]:
        """The results by task. Raises the first failure in the end."""
        results: dict[Any, Any] = {}
        failed: _Failed | None = None
        for task in tasks:
            try:
                results |= super().execute(task)
            except _Failed as failure:
                failed = failed or failure
        if failed:
            raise failed
        return results


def goes_on(session: Session, code: int) -> bool:
    """Whether a line goes on after a task that ended with `code`; a signal ends it in any case."""
    return code not in SIGNALS and bool(session.leniently(KEEP_GOING))


class Verb(Task[Callable[..., None]]):
    """A task with flags of our table. `kind` names its JSON document; a task that `reads_only` may be cut off.
    `examples` are lines that work, without the name of the door."""

    def __init__(
        self,
        run: Run,
        flags: tuple[Flag[Any], ...],
        *,
        name: str | None,
        kind: str,
        reads_only: bool,
        examples: tuple[str, ...],
    ) -> None:
        self.run, self.flags, self.kind, self.reads_only = run, flags, kind, reads_only
        self.doc, self.examples = run.__doc__ or "", examples

        def body(_context: Context, **values: object) -> None:
            session = self.session("invoke", values)
            code = self.perform(session, sys.argv[1:])
            if code:
                raise _Failed(code) if goes_on(session, code) else Exit(code=code)

        lines = [inspect.cleandoc(self.doc), "", "Examples:", *(f"  invoke {example}" for example in examples)]
        body.__doc__, body.__name__, body.__module__ = "\n".join(lines), run.__name__, run.__module__
        super().__init__(body, name=name or run.__name__, positional=[], auto_shortflags=False)

    def __eq__(self, other: object) -> bool:
        """Never: Invoke drops a task equal to one it has seen, though the user typed it."""
        return False

    __hash__ = object.__hash__

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: ARG002 - Invoke's name
        """The flags, not the body's signature."""
        return [flag.argument() for flag in self.flags]

    @property
    def about(self) -> str:
        """What it does, in a line."""
        return self.doc.partition("\n")[0]

    def session(self, door: str, values: Mapping[str, object]) -> Session:
        """What was asked of it."""
        return Session(door, self.name, self.flags, values, kind=self.kind, reads_only=self.reads_only)

    def perform(self, session: Session, line: Sequence[str] = ()) -> int:
        """Run once; returns the exit code. `line` is what plain Invoke has read."""

        def run() -> int:
            check_values(self.flags, line)
            try:
                return self.run(session.checked())
            except NoMatchError as nothing:
                if not isinstance(nothing, NothingNamedError) and not session[ALLOW_EMPTY]:
                    raise _perhaps_a_task(nothing) from None
                session.warn(nothing.message)
                return session.answer(session.document(()))

        return guarded(run, session.fail)


def _perhaps_a_task(error: NoMatchError) -> NoMatchError:
    """The same, with the task that a name was perhaps meant to be."""
    from llmstack.cli.collection import VERBS

    name = str(error.data.get("name") or "")
    question = None if error.data.get("suggestion") else near(name, [task.name for task in VERBS])
    error.hint = "\n".join(filter(None, (f"the task: {question}" if question else "", error.hint)))
    return error


def check_values(flags: Sequence[Flag[Any]], line: Sequence[str]) -> None:
    """Plain Invoke takes `--model` without a name for no `--model` at all, which would mean everything.

    Raises UsageError.
    """
    known = {spelling for flag in flags for spelling in flag.spellings}
    lists = {spelling for flag in flags if flag.kind is list for spelling in flag.spellings}
    for word, after in zip_longest(line, line[1:]):
        if word in lists and (after is None or after in known):
            raise UsageError(f"{word} needs a value", f"write {word} NAME")


def verb(
    *flags: Flag[Any],
    name: str | None = None,
    kind: str = "run",
    reads_only: bool = False,
    examples: tuple[str, ...] = (),
) -> Callable[[Run], Verb]:
    """Make a function of a session, which returns the exit code, a task; the common flags come along. `name` may have
    dots (`store.info`); without it the function's own is taken."""
    return lambda run: Verb(run, (*flags, *COMMON), name=name, kind=kind, reads_only=reads_only, examples=examples)
