"""Where output goes: data to stdout, talk to stderr, each with its own width and colour."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TextIO

from rich.console import Console as RichConsole
from rich.text import Text

from llmstack.domain.names import RESERVED_NAMES

TALK_COLUMNS = 80
"""Width of talk where there is no terminal to measure."""
DATA_COLUMNS = 1000
"""Width of data that goes to a file or pipe: nothing is dropped."""

_COMMAND = re.compile(rf"\b(?:invoke|llmstack) (?=(?:{'|'.join(sorted(RESERVED_NAMES))})\b)")

_LABEL = re.compile(r" *(?:\w+ {2,}|error: )?")


def coloured(choice: str, environ: Mapping[str, str], *, terminal: bool) -> bool:
    """PURE: whether a stream shows colour; `choice` is auto, always or never."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or (terminal and environ.get("TERM") not in ("dumb", "unknown"))


class Console(RichConsole):
    """One stream. `color` is auto, always or never, `progress` auto, tty, plain or none; `door` is how the user spells
    our commands; `talk` tells stderr from stdout."""

    def __init__(
        self, stream: TextIO, *, talk: bool, color: str = "auto", progress: str = "auto", door: str = "llmstack"
    ) -> None:
        terminal = stream.isatty()
        shows_colour = coloured(color, os.environ, terminal=terminal)
        super().__init__(
            file=stream,
            stderr=talk,
            color_system="standard" if shows_colour else None,
            no_color=not shows_colour,
            force_terminal=terminal or progress == "tty",
            width=None if terminal or os.environ.get("COLUMNS") else TALK_COLUMNS if talk else DATA_COLUMNS,
            markup=False,
            emoji=False,
            highlight=False,
        )
        self.door, self.progress = door, progress
        can = terminal and not self.is_dumb_terminal and not os.environ.get("CI")
        self.redraws = progress == "tty" or (progress == "auto" and can)

    def put(self, lines: Iterable[Text]) -> None:
        """Print `lines` at once, each as it is: never cut, and broken on a terminal alone, if it is prose; our commands
        spelled for the door."""
        width = self.width if self.file.isatty() else DATA_COLUMNS
        together = [part for line in lines for part in folded(self._spelled(line), width)]
        if together:
            with suppress(*((OSError,) if self.stderr else ())):  # talk that is lost is no failure
                self.print(Text("\n").join(together), soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """Raises BrokenPipeError for the one who decides about exit codes; nobody needs to hear talk."""
        if not self.stderr:
            raise BrokenPipeError
        self.quiet = True

    def _spelled(self, line: Text) -> Text:
        ends = [end for match in _COMMAND.finditer(line.plain) for end in match.span()]
        pieces = list(line.divide(ends))
        for command in pieces[1::2]:
            command.plain = f"{self.door} "
        return Text(overflow=line.overflow).join(pieces)


def folded(row: Text, width: int) -> Iterator[Text]:
    """PURE: prose in lines of at most `width` cells, as far as its blanks allow; the later ones stand below what
    follows its label."""
    label = _LABEL.match(row.plain)
    indent = (len(label[0]) if label else 0) or 2
    while row.overflow == "fold" and row.cell_len > width and (cut := row.plain.rfind(" ", indent + 1, width + 1)) > 0:
        head, row = row[:cut], row[cut + 1 :]
        yield head
        row.pad_left(indent)
    yield row
