"""One task, as both doors run it: flags, help, exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

from llmstack.cli.environ import unread
from llmstack.cli.flags import ALLOW_EMPTY, COMMON, INVENTORY, KEEP_GOING, Flag, near
from llmstack.cli.guard import guarded
from llmstack.cli.picked import NothingNamedError
from llmstack.cli.session import Session
from llmstack.domain.stop import STOP
from llmstack.errors import SIGINT, SIGPIPE, SIGTERM, LlmstackError, NoMatchError, UsageError

SIGNALS = (SIGINT, SIGTERM, SIGPIPE)
Run = Callable[[Session], int]


def goes_on(session: Session, code: int) -> bool:
    """Whether a line goes on after a task that ended with `code`; a signal ends it in any case."""
    return code not in SIGNALS and bool(session.leniently(KEEP_GOING))


@dataclass(eq=False)
class Verb:
    """A task with flags of our table. `kind` names its JSON document; a task that `reads_only` may be cut off.
    `examples` are lines that work, without the name of the door; `error` says why it can only be listed."""

    run: Run
    flags: tuple[Flag[Any], ...]
    name: str
    kind: str
    reads_only: bool
    examples: tuple[str, ...]
    error: LlmstackError | None = None

    @property
    def doc(self) -> str:
        """All that its help tells."""
        return self.run.__doc__ or ""

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
            for text in unread(session.leniently(INVENTORY)):
                session.warn(text)
            if STOP.is_set():
                raise KeyboardInterrupt
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
    """Make a function of a session, which returns the exit code, a task; the common flags come along. Without a
    `name` it has the function's, with dots (`inventory.graph`)."""
    told = (*flags, *COMMON)
    return lambda run: Verb(run, told, name or run.__name__.replace("_", "."), kind, reads_only, examples)


look = partial(verb, reads_only=True)
"""As `verb`, for a task that may be cut off."""
