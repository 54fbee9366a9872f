"""Where output goes: data to stdout, talk to stderr, colour decided for each."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TextIO

from rich.console import Console as RichConsole
from rich.text import Text

from llmstack.ui.clean import FALL_BACK

TALK_COLUMNS = 80
"""Width of talk where there is no terminal to measure."""
UNLIMITED_COLUMNS = 1000
"""Width of data that goes to a file or pipe: nothing is dropped."""

_COMMAND = re.compile(r"\b(?:invoke|llmstack) (?=(?:up|down|pull|health|sync|status|logs|ask)\b)")


class Console(RichConsole):
    """Rich's console; a reader that went away is an error on stdout, and silence on stderr."""

    def on_broken_pipe(self) -> None:
        """Raises BrokenPipeError for the one who decides about exit codes, unless this is talk."""
        if self.stderr:
            self.quiet = True
        else:
            raise BrokenPipeError


@dataclass(frozen=True, slots=True)
class Streams:
    """Both streams of a run; `door` is how the user spells our commands, `live` whether talk may redraw itself."""

    out: Console
    err: Console
    door: str = "invoke"
    live: bool = False

    def command(self, words: str) -> str:
        """`words` as a command that the user can type: `invoke up --model demo`."""
        return f"{self.door} {words}"

    def spell(self, text: str) -> str:
        """`text` with each of our commands in it spelled for this door."""
        return _COMMAND.sub(f"{self.door} ", text)


def open_streams(
    color: str = "auto",
    door: str = "invoke",
    *,
    out: TextIO | None = None,
    err: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
) -> Streams:
    """Consoles over stdout and stderr. `color` is auto, always or never; `environ` gives NO_COLOR, FORCE_COLOR, TERM,
    CI and COLUMNS."""
    environ = os.environ if environ is None else environ
    out, err = out or sys.stdout, err or sys.stderr
    return Streams(
        out=_console(out, color, environ, UNLIMITED_COLUMNS),
        err=_console(err, color, environ, TALK_COLUMNS, talk=True),
        door=door,
        live=_terminal(err, environ) and not environ.get("CI"),
    )


def wants_color(color: str, environ: Mapping[str, str], terminal: bool) -> bool:
    """Whether one stream is coloured: the flag first, then NO_COLOR, FORCE_COLOR, and whether it is a terminal."""
    if color != "auto":
        return color == "always"
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or terminal


def put(console: RichConsole, lines: Iterable[Text]) -> None:
    """Print `lines` at once, each as it is: never wrapped, never cut."""
    together = list(lines)
    if together:
        console.print(Text("\n").join(together), soft_wrap=True)


def _console(stream: TextIO, color: str, environ: Mapping[str, str], columns: int, *, talk: bool = False) -> Console:
    terminal = _terminal(stream, environ)
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=FALL_BACK)
    given = environ.get("COLUMNS", "")
    return Console(
        file=stream,
        stderr=talk,
        force_terminal=terminal,
        force_interactive=terminal,
        color_system="standard" if wants_color(color, environ, terminal) else None,
        width=int(given) if given.isdigit() and int(given) else None if terminal else columns,
        markup=False,
        emoji=False,
        highlight=False,
    )


def _terminal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    return stream.isatty() and environ.get("TERM", "") not in ("dumb", "unknown")
