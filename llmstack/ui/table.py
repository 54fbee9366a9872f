"""Rows and columns; where it is narrow, columns go from the right, and a row never wraps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from llmstack.ui.clean import line
from llmstack.ui.text import Text
from llmstack.ui.units import UNKNOWN

_GAP = "  "


def table(rows: Sequence[Sequence[Text]], width: int | None = None, *, least: int | None = None) -> Iterator[Text]:
    """Each row, as many columns from the left as fit in `width` cells (at least one, cut to fit); of the last column
    `least` cells are enough, where that is given."""
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    needed = [*widths[:-1], min(widths[-1], least or widths[-1])] if widths else []
    ends = accumulate(needed, lambda end, wide: end + len(_GAP) + wide)
    shown = max(1, sum(width is None or end <= width for end in ends))
    for row in rows:
        told = Text(_GAP).join(_padded(cell, wide) for cell, wide in zip(row[:shown], widths, strict=False)).rstripped()
        yield told if width is None else told.fitted(width)


def known(head: Sequence[str], rows: Sequence[Sequence[Text]], width: int) -> Iterator[Text]:
    """A table with a head, without the columns that no row has anything for."""
    columns = zip(head, *rows, strict=True)
    told = [(line((name, "bold")), *cells) for name, *cells in columns if any(cell.plain != UNKNOWN for cell in cells)]
    return table(list(zip(*told, strict=True)), width)


def _padded(cell: Text, width: int) -> Text:
    return line(cell, " " * (width - cell.cell_len))
