"""Mistakes, gathered until all of them are known.

    E001 not YAML    E002 tag          E003 duplicate key   E004 size or alias    E005 Jinja
    E010 schema      E011 key missing  E012 key unknown     E013 wrong value      E014 bad name
    E015 key of the service            E020 bad pattern     E021 unknown host     E022 nothing selected
    E040 variable    E041 secret       E042 .env            E050 port taken twice
    E051 dependency  E052 companion out of reach            E053 unknown service

E03x are the type's: they are found when the plugins are known.
"""

from __future__ import annotations

from dataclasses import replace

from llmstack.domain.position import Position, Problem, source_lines
from llmstack.errors import InventoryError

MAX_PROBLEMS = 100
"""Nobody reads more at once."""


class Problems:
    """Collects each mistake once: a service on many hosts makes the same one many times."""

    def __init__(self, source: str) -> None:
        self._lines = source_lines(source)
        self._found: dict[tuple[str, Position | None], Problem] = {}

    def add(self, at: Position | None, code: str, message: str, suggestion: str | None = None) -> None:
        """Note one mistake; `suggestion` is the nearest valid word, or the fix in a few words."""
        line = self._lines[at.line - 1] if at and at.line <= len(self._lines) else None
        self._note(Problem(code, message, at, suggestion, line))

    def add_foreign(self, at: Position, code: str, message: str, suggestion: str | None = None) -> None:
        """Note a mistake in another file than the inventory."""
        self._note(Problem(code, message, at, suggestion))

    def _note(self, problem: Problem) -> None:
        self._found.setdefault((problem.code, problem.position), problem)
        if len(self._found) >= MAX_PROBLEMS:
            raise self.error()

    def error(self) -> InventoryError:
        """All of them, in the order of the file."""
        return InventoryError(sorted(self._found.values(), key=_place))

    def raise_any(self) -> None:
        """Raise InventoryError when there is any mistake."""
        if self._found:
            raise self.error()


def within(at: Position, text: str, start: int, length: int) -> Position:
    """The part of a scalar's text, where it stands in the file as it reads (plain, or in quotes); else all of it."""
    width = (at.end_column or at.column) - at.column
    quote = width - len(text)
    if quote not in (0, 2) or not length:
        return at
    column = at.column + quote // 2 + start
    return replace(at, column=column, end_column=column + length)


def _place(problem: Problem) -> tuple[int, int, str]:
    at = problem.position
    return (at.line, at.column, problem.code) if at else (0, 0, problem.code)
