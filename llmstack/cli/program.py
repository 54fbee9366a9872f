"""The installed door: `llmstack`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import takewhile

from llmstack import __version__
from llmstack.cli import complete, tell
from llmstack.cli.argv import parse, wanted_format
from llmstack.cli.collection import GROUPS, VERBS
from llmstack.cli.guard import guarded
from llmstack.cli.plugged import plugged
from llmstack.cli.session import Session
from llmstack.cli.streams import write
from llmstack.cli.task import SIGNALS, Verb, goes_on
from llmstack.errors import OK, UsageError

NAME = "llmstack"
HELP = ("--help", "-h")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the line and end the process with its exit code."""
    words = list(sys.argv if argv is None else argv)[1:]
    session = Session(NAME, values={"output": wanted_format(words)})
    sys.exit(guarded(lambda: _run(words, session), session.fail))


def _run(words: Sequence[str], session: Session) -> int:
    more = plugged(words, [task.name for task in VERBS], session)
    tasks = {task.name: task for task in (*VERBS, *more)}
    groups = {**GROUPS, **({"Plugins": more} if more else {})}
    told = _fact(words, tasks, groups)
    if told is None:
        told = _help(words, tasks, groups)
    if told is not None:
        write(f"{told}\n")
        return OK
    # A wrong value anywhere in the line, and nothing of it runs.
    calls = [(tasks[name], values) for name, values in parse(words, tasks)]
    return _chain([(task, task.session(NAME, values).checked()) for task, values in calls])


def _fact(words: Sequence[str], tasks: Mapping[str, Verb], groups: tell.Groups) -> str | None:
    """The answer to a line that asks about the program. Raises UsageError."""
    match words:
        case ["--version" | "-V" | "version"]:
            return f"{NAME} {__version__}"
        case ["--complete", *rest]:
            return "\n".join(complete.candidates(rest[-1] if rest else "", tasks))
        case ["--print-completion-script", *rest]:
            return complete.script(" ".join(rest))
        case ["--list"]:
            return tell.listing(groups)
        case ["--list", *rest] if wanted_format(rest) == "json":
            return tell.as_json(tasks.values())
    return None


def _help(words: Sequence[str], tasks: Mapping[str, Verb], groups: tell.Groups) -> str | None:
    """The answer to a line that asks how to use it: of the task that --help follows, whatever stands between them, else
    of the first. Raises UsageError, and what makes the task impossible."""
    line = list(takewhile(lambda word: word != "--", words))
    place = next((place for place, word in enumerate(line) if word in HELP or (word == "help" and not place)), None)
    if place is None:
        return None if words else tell.overview(NAME, groups)
    before, after = line[:place], [word for word in line[place + 1 :] if word not in HELP]
    if [*before, *after] == ["exit-codes"]:
        return tell.exit_codes()
    name = complete.task_at(before, tasks)
    if name is None:
        named = [name for name, _ in parse([*before, *after], tasks)]
        name = next(iter(named), None)
        if len(named) > 1 and line[0] == "help":
            raise UsageError("help is for one task at a time", f"{NAME} help {name}")
    if name and (error := tasks[name].error):
        raise error
    return tell.task_help(NAME, tasks[name]) if name else tell.overview(NAME, groups)


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
