"""`menu`."""

from __future__ import annotations

import re
import select
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

from llmstack.cli.flags import COMMON, MODEL, PROMPT, SERVICE, TAIL
from llmstack.cli.picked import command_line
from llmstack.cli.session import Session
from llmstack.cli.task import Verb, look
from llmstack.domain.stop import STOP
from llmstack.errors import OK, SIGINT, ConfigError, LlmstackError, PreflightError, UsageError

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
    "?": ("help", "help"),
    "q": ("quit", "quit"),
}
"""Letter -> the task, and what it does in a word."""
WITHOUT_NAMES = ("gpus",)
LOOK_AGAIN_S, LAST_LINES, PROMPT_LINES, UNDRAWN = 2.0, "50", 2, (0, 0)
HELP = "numbers mark, a letter acts on them, or else on all, as in 3r or 1 3 r"


@look(examples=("menu", "menu -i lab.yaml"))
def menu(session: Session) -> int:
    """Start, stop, ask and look by numbers and letters, below a table that stays true. Needs a terminal.

    Each letter runs a task, and shows the line that does the same in a shell.
    """
    if not session.terminal:
        raise UsageError("a menu needs a terminal", "llmstack status, llmstack up and the others do the same")
    try:
        marked, typed = _turn(session, set(), "")
        while typed is not None:
            try:
                marked, typed = _turn(session, marked, typed)
            except ConfigError as error:  # an inventory that is being edited
                session.tell(error)
                typed = _again(session)
    except KeyboardInterrupt:
        _say(session)
        return SIGINT
    return OK


def _turn(session: Session, marked: set[str], typed: str) -> tuple[set[str], str | None]:
    """What is marked after one line of the user's, `typed` already or to come, and the next one, if that is typed
    already; None in the end."""
    report = _waited(session, marked, bool(typed))
    if not (typed := typed or sys.stdin.readline()):
        _say(session)
        return marked, None
    by_number = {str(number): str(row.target) for number, row in enumerate(report.rows, 1)}
    words = re.findall(r"\d+|[^\d\s]+", typed.lower())
    numbers = {by_number[word] for word in words if word in by_number}
    letters = [word for word in words if word not in by_number]
    if wrong := " ".join(word for word in letters if word not in LETTERS):
        session.warn(f"no number and no letter here: {wrong}; nothing was done. {HELP}")
        return marked, _pause(session)
    marked, typed = numbers if numbers and letters else marked ^ numbers, ""
    for letter in letters:
        if letter == "q":
            return marked, None
        rows = [row for row in report.rows if str(row.target) in marked]
        typed = _act(session, LETTERS[letter][0], rows, report.rows) or typed
    return (set() if letters else marked), typed


def _waited(session: Session, marked: set[str], typed: bool) -> StatusReport:
    """What is shown when the user has `typed` a line. Until then a table that fits follows what happens, where it
    stands: what is typed below it stays."""
    from llmstack.domain.selection import Selection
    from llmstack.ui.clean import prose
    from llmstack.ui.menu import menu_lines

    err, drawn = session.err, UNDRAWN
    letters = [(letter, what) for letter, (_, what) in LETTERS.items()]
    with session.app() as app:
        while True:
            with session.screen(keep=False) if drawn == UNDRAWN else nullcontext():
                report = app.status(Selection())
            lines = list(menu_lines(report, marked, letters, err.width))
            size = (len(lines), err.width)
            if err.redraws and size == drawn:
                err.put_over(lines)
            elif err.redraws or drawn == UNDRAWN:
                err.put_anew(lines)
                err.prompt(prose((f"{HELP} > ", "dim")))
                drawn = size
            follows = err.redraws and len(lines) + PROMPT_LINES < err.height
            if typed or select.select([sys.stdin], [], [], LOOK_AGAIN_S if follows else None)[0]:
                return report


def _act(session: Session, task: str, rows: Sequence[StatusRow], every: Sequence[StatusRow]) -> str:
    """Run a task on some rows, or all; what goes wrong and Ctrl-C end it, and the menu goes on with what is typed
    then."""
    with suppress(KeyboardInterrupt):
        try:
            if task == "help":
                _help(session)
            elif task == "shell":
                _shell(session, _one(rows, every))
            else:
                one = [_one(rows, [row for row in every if row.model])] if task == "ask" else rows
                _perform(session, _tasks()[task], one)
        except LlmstackError as error:
            session.tell(error)
    return _pause(session)


def _help(session: Session) -> None:
    """What can be typed, and what each letter does."""
    from llmstack.ui.clean import prose

    tasks = _tasks()
    told = (f"  {key}  {tasks[task].about if task in tasks else what}" for key, (task, what) in LETTERS.items())
    session.talk(map(prose, (HELP, *told)))


def _tasks() -> dict[str, Verb]:
    from llmstack.cli.collection import VERBS

    return {task.name: task for task in VERBS}


def _perform(session: Session, task: Verb, rows: Sequence[StatusRow]) -> None:
    values: dict[str, Any] = {flag.key: session.values[flag.key] for flag in COMMON if flag.key in session.values}
    if task.name not in WITHOUT_NAMES:
        values[MODEL.key] = [str(row.target) for row in rows if row.model] or None
        values[SERVICE.key] = [str(row.target) for row in rows if not row.model] or None
    if task.name == "logs":
        values[TAIL.key] = LAST_LINES
    if task.name == "ask":
        values[PROMPT.key] = session.ask("What to ask?", "Why is the sky blue?")
    asked = {key: value for key, value in values.items() if value is not None}
    _say(session, command_line(session.door, task.name, task.flags, asked))
    if task.name == "down" or (task.name == "restart" and not rows):
        session.confirm(f"{task.name.capitalize()} {', '.join(str(row.target) for row in rows) or 'everything'}?")
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
    where = ["--host", host.docker_host] if host.docker_host else []
    command = ["docker", *where, "exec", "-it", row.container_name, "sh"]
    _say(session, shlex.join(command))
    subprocess.run(command, check=False)


def _say(session: Session, command: str = "") -> None:
    """The line that does the same in a shell, or an empty one."""
    from llmstack.ui.clean import line

    session.err.put([line(("$ ", "dim"), command) if command else line()])


def _again(session: Session) -> str | None:
    """What to go on with after a mistake in the inventory; None in the end."""
    from llmstack.ui.clean import line

    session.err.prompt(line(("Enter looks again, q quits ", "dim")))
    return None if sys.stdin.readline()[:1] in ("", "q") else "\n"


def _pause(session: Session) -> str:
    """Until what is on the screen was read, where the table would take its place; returns what was typed then."""
    import termios

    from llmstack.ui.clean import line

    typed = ""
    if session.err.redraws:
        with suppress(OSError, termios.error):  # what was typed while a task ran was not meant for this
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
        with suppress(KeyboardInterrupt):
            session.err.prompt(line(("Enter goes back ", "dim")))
            typed = sys.stdin.readline().strip()
    STOP.clear()  # it was meant for the task, or for this
    return typed
