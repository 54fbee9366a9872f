"""Where a value was written, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file; line and columns count from 1, `end_column` is exclusive."""

    file: str
    line: int
    column: int
    end_column: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


Via = tuple[str, Position | None]
"""A variable that filled a part of a value, and its place; None for one of the environment."""


def place(at: Position | None) -> dict[str, object]:
    """A place as flat JSON has it."""
    return {"file": at and at.file, "line": at and at.line, "column": at and at.column}


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in an inventory; `suggestion` is the nearest valid word or the fix in a few words."""

    code: str
    message: str
    position: Position | None = None
    suggestion: str | None = None
    source_line: str | None = None

    def order(self) -> tuple[int, int, str]:
        """Sorts mistakes as they stand in the file."""
        at = self.position
        return (at.line, at.column, self.code) if at else (0, 0, self.code)

    def as_json(self) -> dict[str, object]:
        """Flat record: file, line, column, end_column, code, message, suggestion."""
        told = {"code": self.code, "message": self.message, "suggestion": self.suggestion}
        return {**place(self.position), "end_column": self.position and self.position.end_column, **told}


Positions = Mapping[KeyPath, Position]

KEY = "@key"
"""Last part of a key path that means the key itself, not its value."""

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


def source_lines(source: str) -> list[str]:
    """The lines of a file as YAML counts them."""
    return _LINE_BREAK.split(source)


def locate(positions: Positions, path: KeyPath, *, key: bool = False) -> Position | None:
    """Where `path` is written, or its key; else the nearest thing around it that is."""
    wanted = (*path, KEY) if key else path
    for end in range(len(path), 0, -1):
        for candidate in (wanted, (*path[:end], KEY), path[:end]):
            if candidate in positions:
                return positions[candidate]
    return None
