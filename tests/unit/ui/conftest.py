"""Consoles of a fixed width over strings."""

from __future__ import annotations

import io
from collections.abc import Iterable

import pytest
from rich.text import Text

from llmstack.ui.console import Streams, open_streams


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def streams() -> Streams:
    """Plain streams, 80 columns, for the door `invoke`."""
    return open_streams(out=io.StringIO(), err=io.StringIO(), environ={"COLUMNS": "80"})


@pytest.fixture
def terminal() -> Streams:
    """Streams of a terminal that can redraw, without colour."""
    return open_streams("never", out=Terminal(), err=Terminal(), environ={"COLUMNS": "100", "TERM": "xterm"})


def plain(lines: Iterable[Text]) -> str:
    """Lines as they read without colour."""
    return "".join(f"{line.plain}\n" for line in lines)


def said(streams: Streams) -> str:
    """All that was written to stderr."""
    text = streams.err.file.getvalue()
    assert isinstance(text, str)
    return text
