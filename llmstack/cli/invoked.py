"""Our tasks as plain Invoke runs them; the installed door goes without Invoke, whose import takes time."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.executor import Executor
from invoke.parser.argument import Argument
from invoke.tasks import Task

from llmstack.cli.flags import Flag
from llmstack.cli.task import Verb, goes_on


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


class Invoked(Task[Callable[..., None]]):
    """A verb as a task of Invoke: explicit flags, no positionals, never dropped, exit codes."""

    def __init__(self, verb: Verb) -> None:
        self.verb = verb

        def body(_context: Context, **values: object) -> None:
            session = verb.session("invoke", values)
            code = verb.perform(session, sys.argv[1:])
            if code:
                raise _Failed(code) if goes_on(session, code) else Exit(code=code)

        lines = [inspect.cleandoc(verb.doc), "", "Examples:", *(f"  invoke {example}" for example in verb.examples)]
        body.__doc__, body.__name__, body.__module__ = "\n".join(lines), verb.run.__name__, verb.run.__module__
        super().__init__(body, name=verb.name, positional=[], auto_shortflags=False)

    def __eq__(self, other: object) -> bool:
        """Never: Invoke drops a task equal to one it has seen, though the user typed it."""
        return False

    __hash__ = object.__hash__

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:  # noqa: ARG002 - Invoke's name
        """The flags, not the body's signature."""
        return [argument(flag) for flag in self.verb.flags]


def argument(flag: Flag[Any]) -> Argument:
    """A flag as Invoke's parser wants it; never positional, no short flag but the one given."""
    names = (flag.name, *filter(None, (flag.short,)), *flag.also)
    default = None if flag.takes_value else flag.default
    dashed, counts = flag.key if "-" in flag.name else None, flag.kind is int
    return Argument(
        names=names, kind=flag.kind, default=default, help=flag.told, attr_name=dashed, incrementable=counts
    )
