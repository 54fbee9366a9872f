"""Errors: what went wrong and the next step; mistakes of an inventory as a compiler shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.cells import cell_len
from rich.text import Text

from llmstack.domain.position import Problem
from llmstack.errors import InventoryError, LlmstackError
from llmstack.ui.clean import clean
from llmstack.ui.console import Streams

_LABEL = "error: "


def error_lines(error: LlmstackError, streams: Streams) -> Iterator[Text]:
    """`error: message`, then the hint below the message."""
    if isinstance(error, InventoryError):
        for problem in error.problems:
            yield from problem_lines(problem)
        yield Text(clean(error.message), "bold")
    else:
        yield Text.assemble((_LABEL, "bold red"), clean(error.message))
    for line in (error.hint or "").splitlines():
        yield Text(" " * len(_LABEL) + clean(streams.spell(line)))


def trouble_lines(errors: Iterable[LlmstackError], streams: Streams) -> Iterator[Text]:
    """Several errors beside an answer that is there all the same."""
    for error in errors:
        yield from error_lines(error, streams)


def problem_lines(problem: Problem) -> Iterator[Text]:
    """Place and message, the line it is about, and a caret below the wrong word with the suggestion."""
    place = f"{clean(str(problem.position))}: " if problem.position else ""
    yield Text.assemble((place, "bold"), (f"error {problem.code}: ", "bold red"), clean(problem.message))
    if problem.position is None or problem.source_line is None:
        if problem.suggestion:
            yield Text(f"      {_advice(problem.suggestion)}")
        return
    gutter, source = f"{problem.position.line:>5} | ", problem.source_line
    start = problem.position.column - 1
    end = min(problem.position.end_column or start + 2, len(source) + 1) - 1
    yield Text.assemble((gutter, "dim"), clean(source))
    caret = "^" * max(1, cell_len(clean(source[start:end])))
    line = Text.assemble((" " * 6 + "| ", "dim"), " " * cell_len(clean(source[:start])), (caret, "bold red"))
    yield line.append(f" {_advice(problem.suggestion)}") if problem.suggestion else line


def warning_line(message: str, streams: Streams) -> Text:
    """`! message`."""
    return Text.assemble(("! ", "bold yellow"), clean(streams.spell(message)))


def _advice(suggestion: str) -> str:
    return clean(suggestion) if " " in suggestion else f"did you mean '{clean(suggestion)}'?"
