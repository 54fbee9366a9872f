"""Rows and columns; where it is narrow, columns go from the right, and a row never wraps."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import accumulate

from llmstack.domain.units import UNKNOWN
from llmstack.ui.clean import line
from llmstack.ui.text import Text

_GAP = "  "


def table(
    rows: Sequence[Sequence[Text]], width: int | None = None, *, least: int | None = None, keep: int = 1
) -> Iterator[Text]:
    """Each row, as many columns from the left as fit in `width` cells, but at least the first `keep`, for the last of
    which the widest before it are cut; of the last column `least` cells are enough, where that is given."""
    widths = [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
    before = max(0, keep - 1)
    over = sum(widths[:keep]) + len(_GAP) * before - (width or sys.maxsize)
    for _ in range(min(over, sum(widths[:before]) - before)):
        widths[widths.index(max(widths[:before]))] -= 1
    needed = [*widths[:-1], min(widths[-1], least or widths[-1])] if widths else []
    ends = accumulate(needed, lambda end, wide: end + len(_GAP) + wide)
    shown = max(keep, sum(width is None or end <= width for end in ends))
    for row in rows:
        told = (
            Text(_GAP)
            .join(_padded(cell.fitted(wide), wide) for cell, wide in zip(row[:shown], widths, strict=False))
            .rstripped()
        )
        yield told if width is None else told.fitted(width)


def known(head: Sequence[str], rows: Sequence[Sequence[Text]], width: int, keep: str) -> Iterator[Text]:
    """A table with a head, without the columns that no row has anything for; up to `keep` they are always there."""
    columns, kept = zip(head, *rows, strict=True), head[: head.index(keep) + 1]
    told = [(line((name, "bold")), *cells) for name, *cells in columns if any(cell.plain != UNKNOWN for cell in cells)]
    return table(list(zip(*told, strict=True)), width, keep=sum(name.plain in kept for name, *_ in told))


def _padded(cell: Text, width: int) -> Text:
    return line(cell, " " * (width - cell.cell_len))
