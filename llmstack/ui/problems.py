"""Errors: what went wrong and the next step; mistakes of an inventory as a compiler shows them."""

from __future__ import annotations

from collections.abc import Iterator

from llmstack.domain.position import Problem
from llmstack.errors import InventoryError, LlmstackError
from llmstack.ui.clean import line, prose
from llmstack.ui.text import Text

SOURCE_COLUMNS = 70
"""How much of a long line is shown around what is wrong in it."""


def error_lines(*errors: LlmstackError) -> Iterator[Text]:
    """`error: message`, then the hint below the message."""
    for error in errors:
        if isinstance(error, InventoryError):
            for problem in error.problems:
                yield from problem_lines(problem)
            yield line((error.message, "bold"))
        else:
            yield prose(("error: ", "bold red"), error.message)
        yield from (line(" " * 7, hint) for hint in (error.hint or "").splitlines())


def problem_lines(problem: Problem) -> Iterator[Text]:
    """Place and message, the line it is about, and a caret below the wrong word with the suggestion."""
    at, source, advice = problem.position, problem.source_line, problem.suggestion or ""
    advice = f" did you mean '{advice}'?" if advice and " " not in advice else f" {advice}".rstrip()
    yield prose((f"{at}: " if at else "", "bold"), (f"error {problem.code}: ", "bold red"), problem.message)
    if at is None or source is None:
        yield from (line("     ", text) for text in [advice] if text)
        return
    start = at.column - 1
    left = max(0, start - SOURCE_COLUMNS // 2) if len(source) > SOURCE_COLUMNS else 0
    before, word = line(source[left:start]), line(source[start : (at.end_column or at.column + 1) - 1])
    yield line((f"{at.line:>5} | ", "dim"), line(source[left:]).fitted(SOURCE_COLUMNS))
    yield line(("      | ", "dim"), " " * before.cell_len, ("^" * max(1, word.cell_len), "bold red"), advice)


def warning_line(message: str) -> Text:
    """`! message`."""
    return prose(("! ", "bold yellow"), message)
