"""The menu, and a status that goes on, in a real pseudo-terminal."""

from __future__ import annotations

import codecs
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from llmstack.cli.guard import SAME_S
from tests.desk import DEADLINE_S, Desk, until

PROMPT, BACK = "1 3 r > ", "Enter goes back "
CLEARED, DRAWN_OVER = "\x1b[2J", "\x1b8"
ONE_LOOKED_AT = r"\$ (llmstack|invoke) status --(model|service) \S+@localhost"


class Terminal:
    """What a person sees and types."""

    def __init__(self, process: subprocess.Popen[str], side: int) -> None:
        self.process, self.side, self.seen, self.before = process, side, "", ""
        self.letters = codecs.getincrementaldecoder("utf-8")()

    def until(self, words: str) -> str:
        """What is shown from now on up to `words`; without colours."""
        while words not in self.seen:
            ready, _, _ = select.select([self.side], [], [], DEADLINE_S)
            assert ready, f"{words!r} did not come: {self.seen}"
            self.seen += self.letters.decode(os.read(self.side, 65536))
            self.seen = re.sub(r"\x1b\[[0-9;?]*m", "", self.seen)
        before, _, self.seen = self.seen.partition(words)
        return before

    def type(self, text: str) -> None:
        """Keys, and Enter."""
        os.write(self.side, f"{text}\n".encode())


@contextmanager
def opened(desk: Desk, *words: str, door: str) -> Iterator[Terminal]:
    """A task in a terminal of its own."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 120))
    desk.env["TERM"] = "xterm"
    desk.env.pop("CI", None)
    process = desk.start(*words, door=door, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.fixture
def terminal(started: Desk, door: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """The menu over a stack that is up."""
    monkeypatch.setattr(started, "env", dict(started.env))
    with opened(started, "menu", door=door) as shown:
        shown.before = shown.until(PROMPT)
        yield shown


def test_numbers_mark_and_letters_run_tasks(terminal: Terminal) -> None:
    assert "● ready" in terminal.before
    assert " q quit" in terminal.before
    terminal.type("1 S")
    told = terminal.until(BACK)
    assert re.search(ONE_LOOKED_AT, told)
    terminal.type("")
    assert "*  1" not in terminal.until(PROMPT)
    terminal.type("1L")
    told = terminal.until(BACK)
    assert re.search(r"\$ (llmstack|invoke) logs --(model|service) \S+@localhost --tail 50\r\n", told)
    assert "error" not in told
    terminal.type("")
    terminal.until(PROMPT)
    terminal.type("1")
    assert "*  1" in terminal.until(PROMPT)
    terminal.type("x")
    assert "is no container" in terminal.until(BACK)
    terminal.type("?")
    told = terminal.until(BACK)
    assert "numbers mark" in told
    assert "d  Stop and remove" in told
    terminal.type("")
    terminal.until(PROMPT)
    terminal.type("q")
    assert terminal.process.wait(DEADLINE_S) == 0


def test_nothing_is_done_where_a_word_is_wrong_or_all_would_be_taken_down(terminal: Terminal) -> None:
    terminal.type("99 r 1y")
    told = terminal.until(BACK)
    assert "no number and no letter here: 99 y; nothing was done" in told
    assert "restart --" not in told
    terminal.type("")
    terminal.until(PROMPT)
    terminal.type("r")
    terminal.until("Restart everything? [y/N] ")
    terminal.type("")
    assert "nothing was changed" in terminal.until(BACK)
    terminal.type("1d")
    assert re.search(r"Down \S+@localhost\?", terminal.until(" [y/N] "))
    terminal.type("")
    assert "nothing was changed" in terminal.until(BACK)
    terminal.type("")
    terminal.until(PROMPT)
    os.write(terminal.side, b"\x04")
    assert terminal.process.wait(DEADLINE_S) == 0


def test_ctrl_c_ends_what_is_in_front_and_the_menu_last(terminal: Terminal) -> None:
    terminal.type("r")
    terminal.until("Restart everything? [y/N] ")
    terminal.process.send_signal(signal.SIGINT)
    terminal.until(BACK)
    time.sleep(SAME_S)
    terminal.process.send_signal(signal.SIGINT)
    terminal.until(PROMPT)
    time.sleep(SAME_S)
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(DEADLINE_S) == 130


def test_what_is_typed_while_a_task_runs_takes_nothing_off_the_screen_and_later_it_is_the_next(
    terminal: Terminal,
) -> None:
    terminal.type("r")
    terminal.until("Restart everything? [y/N] ")
    terminal.type("n\n")
    terminal.until(BACK)
    terminal.type("1")
    terminal.until(PROMPT)
    assert "*  1" in terminal.until(PROMPT)


def test_a_mistake_made_in_the_inventory_meanwhile_is_told_and_the_menu_goes_on(
    terminal: Terminal, started: Desk
) -> None:
    inventory = started.folder / "inventory.yaml"
    good = inventory.read_text()
    try:
        inventory.write_text("llmstack: [")
        terminal.type("1")
        assert "inventory.yaml" in terminal.until("Enter looks again, q quits ")
    finally:
        inventory.write_text(good)
    terminal.type("")
    terminal.until(PROMPT)
    terminal.type("q")
    assert terminal.process.wait(DEADLINE_S) == 0


def test_what_is_being_typed_stays_while_the_table_follows(terminal: Terminal) -> None:
    os.write(terminal.side, b"1 ")
    assert CLEARED not in terminal.until(DRAWN_OVER) + terminal.until(DRAWN_OVER)
    terminal.type("s")
    told = terminal.until(BACK)
    assert CLEARED not in told
    assert re.search(ONE_LOOKED_AT, told)


def test_a_status_that_goes_on_fits_the_terminal_when_it_changes(started: Desk, door: str) -> None:
    with opened(started, "status", "--watch", door=door) as shown:
        shown.until("VERSION")
        termios.tcsetwinsize(shown.side, (40, 30))
        until(lambda: shown.until(CLEARED) is not None and "VERSION" not in shown.until("ready"))
        shown.process.send_signal(signal.SIGINT)
        assert shown.process.wait(DEADLINE_S) == 130


def test_a_menu_without_a_terminal_is_a_mistake(look: Callable[..., object]) -> None:
    ran = look("menu")
    assert ran.code == 2  # type: ignore[attr-defined]
    assert "needs a terminal" in ran.err  # type: ignore[attr-defined]
