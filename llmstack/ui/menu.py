"""The menu: what runs, numbered and marked, and below it the letters of what can be done."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from llmstack.domain.instance import State
from llmstack.domain.report import StatusReport, StatusRow
from llmstack.ui.clean import line
from llmstack.ui.status import FIGURES, STYLES, figures, status_note
from llmstack.ui.table import known
from llmstack.ui.text import Text

HEAD = ("", "NAME", "HOST", "STATE", *FIGURES)
SIGNS = {
    **dict.fromkeys((State.READY, State.DEGRADED), "●"),
    **dict.fromkeys((State.LOADING, State.STARTING), "◐"),
    **dict.fromkeys((State.CRASHED, State.UNREACHABLE), "✗"),
}
"""Beside the word for it: nobody needs to see colours."""
Letters = Sequence[tuple[str, str]]


def menu_lines(report: StatusReport, marked: Collection[str], letters: Letters, width: int) -> Iterator[Text]:
    """The table, a line for each trouble, and the letters."""
    rows = [_row(number, row, str(row.target) in marked) for number, row in enumerate(report.rows, 1)]
    yield from known(HEAD, rows, width, "STATE")
    if not rows or report.inventory is None:
        yield from status_note(report)
    for row in report.rows:
        if row.detail:
            yield line((f"     {row.target}: {row.detail}", "dim")).fitted(width)
    for error in report.errors:
        yield line(("     ! ", "yellow"), error.message).fitted(width)
    yield line()
    found = line()
    for letter, what in letters:
        part = line((f" {letter} ", "bold"), f"{what}  ")
        if found.cell_len + part.cell_len > width:
            yield found
            found = line()
        found.append_text(part)
    yield found


def _row(number: int, row: StatusRow, marked: bool) -> list[Text]:
    style = STYLES.get(row.state, "dim")
    return [
        line(("*" if marked else " ", "bold yellow"), f"{number:>3}"),
        line((row.model or row.service, "bold")),
        line(row.host),
        line((f"{SIGNS.get(row.state, '○')} {row.state.value}", style)),
        *figures(row),
    ]
