"""Standard output and standard error, whatever state they were handed over in."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EBADF
from io import TextIOWrapper

from llmstack.errors import OutputError


def make_fit() -> None:
    """Let both take any text, and put something in the place of what was closed, or the next file that is opened takes
    it, and what is said ends up there. Standard output is filled so that a write to it fails: an answer that is lost
    is a failure, lost talk is none."""
    for number, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest free number, which is this one
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


@contextmanager
def answering() -> Iterator[None]:
    """While it lasts, stdout is written. Raises BrokenPipeError, and OutputError for what else keeps an answer from
    being written; what is written afterwards goes nowhere."""
    try:
        yield
    except BrokenPipeError:
        hang_up()
        raise
    except OSError as error:
        hang_up()
        why = "it is closed" if error.errno == EBADF else error.strerror
        raise OutputError(f"cannot write to the output: {why}", "send it elsewhere: > FILE") from error


@contextmanager
def unread() -> Iterator[None]:
    """Nobody may be reading what is written meanwhile."""
    try:
        yield
    except BrokenPipeError:
        hang_up()


def hang_up() -> None:
    """Send what is left for stdout nowhere, so that nothing else fails on it, the interpreter's own last flush
    included."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def write(text: str) -> None:
    """Write to stdout at once, as it is. Raises BrokenPipeError or OutputError."""
    with answering():
        sys.stdout.write(text)
        sys.stdout.flush()
