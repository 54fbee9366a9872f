"""Our kind of Invoke task: explicit flags, no positionals, never dropped, exit codes."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.tasks import Task

from llmstack.cli.flags import OUTPUT_VARIABLE, Flag
from llmstack.cli.guard import Door, guarded
from llmstack.cli.options import Options, command_line, read_options
from llmstack.cli.session import Session

DEFAULT_DOOR = "invoke"


class Verb(Task[Callable[..., None]]):
    """A task with the flags of our table. `kind` names its JSON document; a task that `reads_only` may be cut off."""

    def __init__(
        self, run: Callable[[Session], int], flags: tuple[Flag, ...], *, kind: str = "run", reads_only: bool = False
    ) -> None:
        self.run, self.flags, self.kind, self.reads_only = run, flags, kind, reads_only

        def body(context: Context, **values: object) -> None:
            self.perform(str(context.config.get("llmstack", {}).get("door", DEFAULT_DOOR)), values)

        body.__doc__, body.__name__, body.__module__ = run.__doc__, run.__name__, run.__module__
        super().__init__(body, positional=[], auto_shortflags=False)

    def __eq__(self, other: object) -> bool:
        """Never: Invoke drops a task equal to one it has seen, though the user typed it."""
        return False

    __hash__ = object.__hash__

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: ARG002 - Invoke's name
        """The flags, not the body's signature."""
        return [flag.argument() for flag in self.flags]

    def options(self, values: Mapping[str, object]) -> Options:
        """The typed flags. Raises UsageError or ConfigError."""
        return read_options(self.flags, values)

    def perform(self, door: str, values: Mapping[str, object]) -> None:
        """Run once. Raises Exit, which ends the chain, when the exit code is not 0."""
        asked = values.get("output") or os.environ.get(OUTPUT_VARIABLE)
        color = values.get("color")

        def run() -> int:
            command = command_line(door, self.name, self.flags, values)
            return self.run(Session(self.name, self.options(values), door, command, self.reads_only))

        kind = self.kind if asked == "json" else None
        code = guarded(run, Door(door, color if color in ("always", "never") else "auto", kind, self.name))
        if code:
            raise Exit(code=code)


def verb(*flags: Flag, kind: str = "run", reads_only: bool = False) -> Callable[[Callable[[Session], int]], Verb]:
    """Make a function of a session, which returns the exit code, a task."""
    return lambda run: Verb(run, flags, kind=kind, reads_only=reads_only)
