"""The menu in a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.desk import DEADLINE_S, Desk

PROMPT, BACK = "as in 1 3 r > ", "Enter goes back "


class Terminal:
    """What a person sees and types."""

    def __init__(self, process: subprocess.Popen[str], side: int) -> None:
        self.process, self.side, self.seen = process, side, ""

    def until(self, words: str) -> str:
        """What is shown from now on up to `words`, without colours."""
        while words not in self.seen:
            ready, _, _ = select.select([self.side], [], [], DEADLINE_S)
            assert ready, f"{words!r} did not come: {self.seen}"
            self.seen += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", os.read(self.side, 65536).decode())
        before, _, self.seen = self.seen.partition(words)
        return before

    def type(self, text: str) -> None:
        """Keys, and Enter."""
        os.write(self.side, f"{text}\n".encode())


@pytest.fixture
def terminal(started: Desk, door: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """The menu over a stack that is up."""
    ours, theirs = pty.openpty()
    monkeypatch.setitem(started.env, "TERM", "xterm")
    monkeypatch.delitem(started.env, "CI", raising=False)
    process = started.start("menu", door=door, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_numbers_mark_and_letters_run_tasks(terminal: Terminal) -> None:
    first = terminal.until(PROMPT)
    assert "● ready" in first
    assert " q quit" in first
    terminal.type("1 s")
    told = terminal.until(BACK)
    assert re.search(r"\$ (llmstack|invoke) status --(model|service) \S+@localhost", told)
    terminal.type("")
    assert "*  1" in terminal.until(PROMPT)
    terminal.type("nonsense")
    assert "no number and no letter here: nonsense" in terminal.until(BACK)
    terminal.type("")
    terminal.until(PROMPT)
    terminal.type("x")
    assert "is no container" in terminal.until(BACK)
    terminal.type("")
    terminal.until(PROMPT)
    terminal.type("q")
    assert terminal.process.wait(DEADLINE_S) == 0


def test_a_menu_without_a_terminal_is_a_mistake(look: Callable[..., object]) -> None:
    ran = look("menu")
    assert ran.code == 2  # type: ignore[attr-defined]
    assert "needs a terminal" in ran.err  # type: ignore[attr-defined]
