"""The installed door: `llmstack`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from invoke.config import Config
from invoke.parser.argument import Argument
from invoke.program import Program

from llmstack import __version__
from llmstack.cli.argv import parse, wanted_format
from llmstack.cli.collection import VERBS, namespace
from llmstack.cli.guard import guarded
from llmstack.cli.session import Session
from llmstack.cli.task import SIGNALS, Verb, goes_on
from llmstack.errors import OK, UsageError, meanings

NAME = "llmstack"
TASKS = {task.name: task for task in VERBS}

_TOLD_BY_INVOKE = ("--list", "--version", "-V", "--complete", "--print-completion-script")
_MEANINGLESS = ("command-timeout", "config", "dry", "echo", "hide", "prompt-for-sudo-password", "pty", "warn-only")


class _Teller(Program):
    """Invoke's program, for what it can tell of our tasks: help, lists, completion."""

    def core_args(self) -> list[Argument]:
        """Those of Invoke's flags that mean something here."""
        return [argument for argument in super().core_args() if argument.names[0] not in _MEANINGLESS]

    def create_config(self) -> None:
        """No file has a say."""
        self.config = Config(lazy=True)

    def print_help(self) -> None:
        """Usage and the tasks."""
        print(f"Usage: {NAME} TASK [NAME ...] [--flags] [TASK ...]\n")  # noqa: T201 - the answer
        self.list_tasks()
        print(f"{NAME} TASK --help tells a task's flags; {NAME} help exit-codes what a run can end with.")  # noqa: T201


def main(argv: Sequence[str] | None = None) -> None:
    """Run the line and end the process with its exit code."""
    words = list(sys.argv if argv is None else argv)[1:]
    session = Session(NAME, values={"output": wanted_format(words)})
    sys.exit(guarded(lambda: _run(words), session.fail))


def _run(words: Sequence[str]) -> int:
    if words and words[0] in _TOLD_BY_INVOKE:
        return _told(*words)
    asked = [word for word in words if word not in ("--help", "-h")]
    helps = len(asked) < len(words)
    if asked[:1] == ["help"]:
        helps, asked = True, asked[1:]
    if helps and asked == ["exit-codes"]:
        table = "\n".join(f"{code:>4}  {name:<11}  {text}" for code, (name, text) in meanings().items())
        print(table, flush=True)  # noqa: T201 - the answer
        return OK
    calls = parse(asked, {name: task.flags for name, task in TASKS.items()})
    if helps or not calls:
        return _told("--help", *(name for name, _ in calls[:1]))
    # A wrong value anywhere in the line, and nothing of it runs.
    sessions = [(TASKS[name], TASKS[name].session(NAME, values).checked()) for name, values in calls]
    return _chain(sessions)


def _chain(sessions: Sequence[tuple[Verb, Session]]) -> int:
    """Run them in turn; returns the code of the first that fails, which ends the line unless --keep-going was given."""
    first = OK
    for place, (task, session) in enumerate(sessions, start=1):
        code = task.perform(session)
        first = first or code
        left = [task.name for task, _ in sessions[place:]]
        if code and not goes_on(session, code):
            if left and code not in SIGNALS:
                session.warn(f"not run after this failure: {' '.join(left)}")
            break
    return first


def _told(*words: str) -> int:
    """Let Invoke answer; what it refuses is a mistake in usage."""
    refused: object = None
    try:
        _Teller(version=__version__, namespace=namespace(), name=NAME, binary=NAME).run([NAME, *words])
    except SystemExit as end:
        refused = end.code
    sys.stdout.flush()
    return UsageError.exit_code if refused else OK
