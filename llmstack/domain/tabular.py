"""What a notebook shows of our values: a small HTML table instead of a long repr."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from llmstack.errors import LlmstackError, exit_code_of

T = TypeVar("T")


class Tabular:
    """Shows itself as a table of `columns`, one row for each of its `entries` (the name of a field; without one the
    value itself is the row); what nobody knows is left empty, and a column that is empty for all is left out."""

    __slots__ = ()
    columns: ClassVar[tuple[str, ...]] = ()
    entries: ClassVar[str] = ""

    def _repr_html_(self) -> str:
        return table(self.columns, getattr(self, self.entries) if self.entries else (self,))


class Document(Tabular):
    """What a task answers: its `entries`, and the errors that kept it from more."""

    __slots__ = ()
    kind: ClassVar[str]

    @property
    def errors(self) -> tuple[LlmstackError, ...]:
        """None, unless it has some."""
        return ()

    @property
    def exit_code(self) -> int:
        """That of the errors."""
        return exit_code_of(error.exit_code for error in self.errors)

    def as_json(self) -> dict[str, object]:
        """The one JSON document of the task: `{v, kind, rc, items, errors}`."""
        return self.document(rc=self.exit_code)

    def document(self, **facts: object) -> dict[str, object]:
        """The same, with these facts in their order."""
        items = [item.as_json() for item in getattr(self, self.entries)]
        return {"v": 1, "kind": self.kind, **facts, "items": items, "errors": [one.as_json() for one in self.errors]}


class Rows(tuple[T, ...]):
    """A tuple whose items are the rows of one table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return table(getattr(self[0], "columns", ()) if self else (), self)


class Named(dict[str, T]):
    """A dict whose values are the rows of one table."""

    def _repr_html_(self) -> str:
        first = next(iter(self.values()), None)
        return table(getattr(first, "columns", ()), self.values(), ("name", tuple(self)))


def table(columns: Iterable[str], entries: Iterable[object], first: tuple[str, tuple[str, ...]] | None = None) -> str:
    """HTML; `first` is a column of its own before the others. Everything is escaped: names come from outside."""
    rows = list(entries)
    cells = {name: [cell(getattr(row, name, None)) for row in rows] for name in columns}
    shown = {name: column for name, column in cells.items() if any(column)}
    if first:
        shown = {first[0]: [cell(name) for name in first[1]], **shown}
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in shown)
    body = "".join(
        f"<tr>{''.join(f'<td>{text}</td>' for text in texts)}</tr>" for texts in zip(*shown.values(), strict=True)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def cell(value: object) -> str:
    """One value as escaped text."""
    from html import escape

    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.1f}"
    return escape(", ".join(map(str, value)) if isinstance(value, tuple) else str(value))
