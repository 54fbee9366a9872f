"""Consoles of a fixed width over strings."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable

import pytest

from llmstack.ui.console import Console
from llmstack.ui.text import Text


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def environ(monkeypatch) -> Callable[..., None]:
    """Set what a console looks at; nothing is set at first."""

    def given(**values: str) -> None:
        for name in ("COLUMNS", "TERM", "CI", "NO_COLOR", "FORCE_COLOR", "COLORTERM", "TTY_COMPATIBLE"):
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    given()
    return given


@pytest.fixture
def err() -> Console:
    """Talk that goes to a file."""
    return Console(io.StringIO(), talk=True, door="invoke")


@pytest.fixture
def terminal(environ) -> Console:
    """Talk on a terminal that can redraw, 100 columns wide, without colour."""
    environ(COLUMNS="100", TERM="xterm")
    return Console(Terminal(), talk=True, color="never", door="invoke")


def plain(lines: Iterable[Text]) -> str:
    """Lines as they read without colour."""
    return "".join(f"{line.plain}\n" for line in lines)


def said(console: Console) -> str:
    """All that was written there."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
