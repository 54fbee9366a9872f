"""Rows and columns; where it is narrow, columns go from the right, and a row never wraps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.text import Text

_GAP = "  "


def table_lines(head: Sequence[str], rows: Sequence[Sequence[Text]], width: int) -> Iterator[Text]:
    """The head and each row, as many columns from the left as fit in `width` cells (at least one, cut to fit)."""
    widths = [max([cell_len(name), *(row[index].cell_len for row in rows)]) for index, name in enumerate(head)]
    shown = _fitting(widths, width)
    for cells in ([Text(name, "bold") for name in head], *rows):
        line = Text(_GAP).join(_padded(cell, widths[index]) for index, cell in enumerate(cells[:shown]))
        line.rstrip()
        if line.cell_len > width:
            line.truncate(width, overflow="ellipsis")
        yield line


def _fitting(widths: Sequence[int], width: int) -> int:
    used = 0
    for index, column in enumerate(widths):
        used += column + (len(_GAP) if index else 0)
        if used > width:
            return max(1, index)
    return len(widths)


def _padded(cell: Text, width: int) -> Text:
    padded = cell.copy()
    padded.pad_right(width - cell.cell_len)
    return padded
