"""A line in its parts, each with a style: what Rich would draw, for the many times that nothing of Rich is needed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
"""The words of a style, as a terminal wants them."""
TYPED = "typed"
"""A style without colour, for a command that somebody typed: it is shown as it was, not as one to type here."""


class Text:
    """One line. What is `prose` may be broken at its blanks."""

    def __init__(self, text: str = "", style: str = "", *, prose: bool = False) -> None:
        self.parts = [(text, style)] if text else []
        self.prose = prose

    @property
    def plain(self) -> str:
        """As it reads without style."""
        return "".join(text for text, _ in self.parts)

    @property
    def cell_len(self) -> int:
        """The cells that it takes on a terminal."""
        return cells(self.plain)

    @property
    def ansi(self) -> str:
        """With the codes that colour a terminal."""
        return "".join(_painted(text, style) if style else text for text, style in self.parts)

    def append(self, text: str, style: str = "") -> None:
        """Add a part."""
        self.parts += [(text, style)] if text else []

    def append_text(self, other: Text) -> None:
        """Add the parts of another."""
        self.parts += other.parts

    def join(self, lines: Iterable[Text]) -> Text:
        """`lines` with this one between them."""
        made = Text()
        for index, each in enumerate(lines):
            made.parts += [*(self.parts if index else ()), *each.parts]
        return made

    def cut(self, start: int, end: int | None = None) -> Text:
        """Its characters from `start` to before `end`."""
        made, at = Text(prose=self.prose), 0
        for text, style in self.parts:
            made.append(text[max(0, start - at) : None if end is None else max(0, end - at)], style)
            at += len(text)
        return made

    def rstripped(self) -> Text:
        """Without blanks at its end."""
        return self.cut(0, len(self.plain.rstrip()))

    def fitted(self, width: int) -> Text:
        """In at most `width` cells; what was cut ends in `…`."""
        if self.cell_len <= width:
            return self
        plain = self.plain
        end = next(end for end in range(min(len(plain), width), -1, -1) if cells(plain[:end]) < width or not end)
        made = self.cut(0, end)
        made.append("…"[:width], made.parts[-1][1] if made.parts else "")
        return made


def cells(text: str) -> int:
    """The cells that a text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(char: str) -> int:
    if unicodedata.combining(char) or char == "\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _painted(text: str, style: str) -> str:
    codes = ";".join(_CODES[word] for word in style.split() if word in _CODES)
    return f"\x1b[{codes}m{text}\x1b[0m" if codes else text


def folded(row: Text, width: int, indent: int) -> Iterator[Text]:
    """PURE: prose in lines of at most `width` cells, as far as its blanks allow; the later ones are indented."""
    while row.prose and row.cell_len > width and (cut := row.plain.rfind(" ", indent + 1, width + 1)) > 0:
        yield row.cut(0, cut)
        row, rest = Text(" " * indent, prose=True), row.cut(cut + 1)
        row.append_text(rest)
    yield row
