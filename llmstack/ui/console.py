"""Where output goes: data to stdout, talk to stderr, each with its own width and colour."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TextIO

from llmstack.domain.names import RESERVED_NAMES
from llmstack.ui.text import TYPED, Text, folded

TALK_COLUMNS = 80
"""Width of talk where there is no terminal to measure."""
DATA_COLUMNS = 1000
"""Width of data that goes to a file or pipe: nothing is dropped."""

_COMMAND = re.compile(rf"\b(?:invoke|llmstack) ((?:{'|'.join(sorted(RESERVED_NAMES))})\b(?:\.\w+)*)")

_LABEL = re.compile(r" *(?:\w+ {2,}|error: )?")


def coloured(choice: str, environ: Mapping[str, str], *, terminal: bool) -> bool:
    """PURE: whether a stream shows colour; `choice` is auto, always or never."""
    if choice != "auto":
        return choice == "always"
    if environ.get("NO_COLOR"):
        return False
    return bool(environ.get("FORCE_COLOR")) or (terminal and not dumb(environ))


def dumb(environ: Mapping[str, str]) -> bool:
    """PURE: whether the terminal only knows letters."""
    return environ.get("TERM") in ("dumb", "unknown")


class Console:
    """One stream. `color` is auto, always or never, `progress` auto, tty, plain or none; `door` is how the user spells
    our commands, `flags` what each of them needs besides; `talk` tells stderr from stdout. `above` prints while a part
    of the screen moves."""

    def __init__(
        self,
        stream: TextIO,
        *,
        talk: bool,
        color: str = "auto",
        progress: str = "auto",
        door: str = "llmstack",
        flags: str = "",
    ) -> None:
        self.file, self.talk, self.door, self.flags, self.progress = stream, talk, door, flags, progress
        self.terminal = stream.isatty()
        self.colour = coloured(color, os.environ, terminal=self.terminal)
        can = self.terminal and not dumb(os.environ) and not os.environ.get("CI")
        self.redraws = progress == "tty" or (progress == "auto" and can)
        self.above: Callable[[Iterable[Text]], None] | None = None

    @property
    def width(self) -> int:
        """Cells in a line."""
        if (asked := os.environ.get("COLUMNS", "")).isdigit() and int(asked):
            return int(asked)
        if not self.terminal:
            return TALK_COLUMNS if self.talk else DATA_COLUMNS
        with suppress(OSError):
            return os.get_terminal_size(self.file.fileno()).columns or TALK_COLUMNS
        return TALK_COLUMNS

    @property
    def height(self) -> int:
        """Lines of the terminal; 0 where there is none to measure."""
        with suppress(OSError):
            return os.get_terminal_size(self.file.fileno()).lines
        return 0

    def put(self, lines: Iterable[Text]) -> None:
        """Print `lines` at once, each as it is: never cut, and broken on a terminal alone, if it is prose; our commands
        spelled for the door. Talk that is lost is no failure."""
        if together := self._told(lines):
            with suppress(*((OSError,) if self.talk else ())):
                (self.above or self._print)(together)

    def put_anew(self, lines: Iterable[Text]) -> None:
        """The same, on a terminal that redraws in the upper left corner, and alone."""
        if self.redraws:
            self._write("\x1b[2J\x1b[H")
        self.put(lines)

    def put_over(self, lines: Iterable[Text]) -> None:
        """The same over as many lines in the upper left corner; what is below stays, and the cursor there."""
        told = "".join(f"\x1b[2K{self._shown(line)}\n" for line in self._told(lines))
        self._write(f"\x1b7\x1b[H{told}\x1b8")

    def prompt(self, line: Text) -> None:
        """Print a question, and stay behind it."""
        self._write("\n".join(map(self._shown, self._told([line]))))

    def _told(self, lines: Iterable[Text]) -> list[Text]:
        width = self.width if self.terminal else DATA_COLUMNS
        return [part for line in map(self._spelled, lines) for part in folded(line, width, _indent(line.plain))]

    def _print(self, lines: Iterable[Text]) -> None:
        self._write("".join(f"{self._shown(line)}\n" for line in lines))

    def _write(self, text: str) -> None:
        self.file.write(text)
        self.file.flush()

    def _shown(self, line: Text) -> str:
        return line.ansi if self.colour else line.plain

    def _spelled(self, line: Text) -> Text:
        """With our commands as they can be typed here."""
        flags = "" if "--inventory" in line.plain else self.flags
        made = Text(prose=line.prose)
        for text, style in line.parts:
            told = text if style == TYPED else _COMMAND.sub(lambda found: f"{self.door} {found[1]}{flags}", text)
            made.append(told, style)
        return made


def _indent(plain: str) -> int:
    """Where what follows the label of a line begins."""
    label = _LABEL.match(plain)
    return (len(label[0]) if label else 0) or 2
