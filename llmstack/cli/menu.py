"""`menu`."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from llmstack.cli.flags import COMMON, MODEL, PROMPT, SERVICE
from llmstack.cli.picked import command_line
from llmstack.cli.session import Session
from llmstack.cli.task import Verb, verb
from llmstack.domain.stop import STOP
from llmstack.errors import OK, LlmstackError, PreflightError, UsageError

if TYPE_CHECKING:
    from llmstack.domain.report import StatusReport, StatusRow

LETTERS = {
    "u": ("up", "start"),
    "d": ("down", "stop"),
    "r": ("restart", "restart"),
    "s": ("status", "status"),
    "l": ("logs", "logs"),
    "p": ("pull", "pull"),
    "a": ("ask", "ask"),
    "t": ("health", "test"),
    "w": ("why", "why"),
    "x": ("shell", "shell"),
    "g": ("gpus", "GPUs"),
    "q": ("quit", "quit"),
}
"""Letter -> the task, and what it does in a word."""
WITHOUT_NAMES = ("gpus",)
LOOK_AGAIN_S = 2.0
HELP = "numbers mark, a letter acts on what is marked, or else on all, as in 1 3 r"


@verb(reads_only=True, examples=("menu", "menu -i lab.yaml"))
def menu(session: Session) -> int:
    """Start, stop, ask and look by numbers and letters, below a table that stays true. Needs a terminal.

    Each letter runs a task, and shows the line that does the same in a shell.
    """
    if not session.terminal:
        raise UsageError("a menu needs a terminal", "llmstack status, llmstack up and the others do the same")
    marked: set[str] = set()
    while True:
        report = _waited(session, marked)
        words = (sys.stdin.readline() or "q").split()
        by_number = {str(number): str(row.target) for number, row in enumerate(report.rows, 1)}
        numbers = {by_number[word] for word in words if word in by_number}
        letters = [word for word in words if word not in by_number]
        marked = numbers if numbers and letters else marked ^ numbers
        for word in letters:
            if word == "q":
                return OK
            if word in LETTERS:
                rows = [row for row in report.rows if str(row.target) in marked]
                _act(session, LETTERS[word][0], rows, report.rows)
            else:
                session.warn(f"no number and no letter here: {word}; {HELP}")
                _pause(session)


def _waited(session: Session, marked: set[str]) -> StatusReport:
    """What is shown when the user has typed a line; until then the table follows what happens."""
    from llmstack.domain.selection import Selection
    from llmstack.ui.clean import line
    from llmstack.ui.menu import menu_lines

    shown: StatusReport | None = None
    with session.app() as app:
        while True:
            report = app.status(Selection())
            if report != shown:
                shown = report
                if session.err.redraws:
                    session.err.clear()
                letters = [(letter, what) for letter, (_, what) in LETTERS.items()]
                session.err.put(menu_lines(report, marked, letters, session.err.width))
                session.err.prompt(line((f"{HELP} > ", "dim")))
            if select.select([sys.stdin], [], [], LOOK_AGAIN_S)[0]:
                return report


def _act(session: Session, task: str, rows: Sequence[StatusRow], every: Sequence[StatusRow]) -> None:
    """Run a task on some rows, or all; what goes wrong is shown, and the menu goes on."""
    try:
        if task == "shell":
            _shell(session, _one(rows, every))
        else:
            _perform(session, _task(task), rows if rows or task != "ask" else [_one(rows, every)])
    except LlmstackError as error:
        session.tell(error)
    STOP.clear()  # it was meant for the task
    _pause(session)


def _task(name: str) -> Verb:
    from llmstack.cli.collection import VERBS

    return next(task for task in VERBS if task.name == name)


def _perform(session: Session, task: Verb, rows: Sequence[StatusRow]) -> None:
    from llmstack.ui.clean import line

    values: dict[str, Any] = {flag.key: session.values[flag.key] for flag in COMMON if flag.key in session.values}
    if task.name not in WITHOUT_NAMES:
        values[MODEL.key] = [str(row.target) for row in rows if row.model] or None
        values[SERVICE.key] = [str(row.target) for row in rows if not row.model] or None
    if task.name == "ask":
        values[PROMPT.key] = session.ask("What to ask?", "Why is the sky blue?")
    asked = {key: value for key, value in values.items() if value is not None}
    session.err.put([line(("$ ", "dim"), command_line(session.door, task.name, task.flags, asked))])
    if task.name == "down" and not rows:
        session.confirm("Stop everything?")
    task.perform(task.session(session.door, asked))


def _one(rows: Sequence[StatusRow], every: Sequence[StatusRow]) -> StatusRow:
    """The only one that can be meant. Raises UsageError."""
    found = rows or every
    if len(found) != 1:
        raise UsageError("this is for one at a time", "mark it by its number first, as in: 2 a")
    return found[0]


def _shell(session: Session, row: StatusRow) -> None:
    """A shell in a container, by the Docker CLI. Raises PreflightError where there is none."""
    if row.engine != "docker" or not row.container_name:
        raise PreflightError(f"{row.target} is no container", "its log: l")
    if shutil.which("docker") is None:
        raise PreflightError("the docker program is not installed here", "sudo apt-get install docker-cli")
    with session.app() as app:
        (host, _), *_rest = app.hosts(row.host)
    env = {**os.environ, **({"DOCKER_HOST": host.docker_host} if host.docker_host else {})}
    with _back_to_us():
        subprocess.run(["docker", "exec", "-it", row.container_name, "sh"], env=env, check=False)


@contextmanager
def _back_to_us() -> Iterator[None]:
    """Ctrl-C within is for the program in front."""
    try:
        yield
    except KeyboardInterrupt:
        return


def _pause(session: Session) -> None:
    from llmstack.ui.clean import line

    if session.err.redraws:
        session.err.prompt(line(("Enter goes back ", "dim")))
        sys.stdin.readline()
