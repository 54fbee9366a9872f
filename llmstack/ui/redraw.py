"""The part of a terminal that moves while a run goes on. Rich draws it, and is loaded for this alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text as RichText

from llmstack.ui.text import Text

_REDRAWS_PER_S = 8


class Moving:
    """Shows what `rows` gives, below what is printed; nothing of it stays in the end."""

    def __init__(self, stream: TextIO, rows: Callable[[], Iterable[Text]], *, colour: bool) -> None:
        self._rows = rows
        system: Literal["standard"] | None = "standard" if colour else None
        self._console = Console(file=stream, color_system=system, no_color=not colour, force_terminal=True)
        self._live = Live(
            console=self._console,
            get_renderable=self._group,
            refresh_per_second=_REDRAWS_PER_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.start, self.stop, self.refresh = self._live.start, self._live.stop, self._live.refresh

    def print(self, lines: Iterable[Text]) -> None:
        """Print lines that stay, above what moves."""
        self._console.print(RichText("\n").join(map(_rich, lines)), soft_wrap=True)

    def _group(self) -> Group:
        rows = list(map(_rich, self._rows()))
        for row in rows:
            row.no_wrap, row.overflow = True, "ellipsis"
        return Group(*rows)


def _rich(line: Text) -> RichText:
    return RichText.assemble(*line.parts)
