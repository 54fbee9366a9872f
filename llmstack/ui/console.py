"""Where output goes: data to stdout, talk to stderr, each with its own width and colour."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import TextIO

from rich.console import Console as RichConsole
from rich.text import Text

from llmstack.domain.names import RESERVED_NAMES

TALK_COLUMNS = 80
"""Width of talk where there is no terminal to measure."""
DATA_COLUMNS = 1000
"""Width of data that goes to a file or pipe: nothing is dropped."""

_COMMAND = re.compile(rf"\b(?:invoke|llmstack) (?=(?:{'|'.join(sorted(RESERVED_NAMES))})\b)")


class Console(RichConsole):
    """One stream. `color` is auto (Rich decides, by NO_COLOR, FORCE_COLOR, TERM and the stream), always or never;
    `door` is how the user spells our commands; `talk` tells stderr from stdout."""

    def __init__(self, stream: TextIO, *, talk: bool, color: str = "auto", door: str = "llmstack") -> None:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
        terminal = stream.isatty()
        super().__init__(
            file=stream,
            stderr=talk,
            color_system={"always": "standard", "never": None}.get(color, "auto"),
            no_color=False if color == "always" else None,
            width=None if terminal or os.environ.get("COLUMNS") else TALK_COLUMNS if talk else DATA_COLUMNS,
            markup=False,
            emoji=False,
            highlight=False,
        )
        self.door = door
        self.redraws = terminal and not self.is_dumb_terminal and not os.environ.get("CI")

    def put(self, lines: Iterable[Text]) -> None:
        """Print `lines` at once, each as it is: never wrapped, never cut; our commands spelled for the door."""
        together = [self._spelled(line) for line in lines]
        if together:
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
        return Text().join(pieces)
