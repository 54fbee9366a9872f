"""Why a target is as it is, on one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llmstack.domain.event import rfc3339
from llmstack.domain.ladder import Ladder
from llmstack.domain.position import Position, place
from llmstack.domain.report import StatusRow
from llmstack.domain.tabular import Document, Tabular
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError, exit_code_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """The place in the inventory to make a change at: `key` with dots, `at` where it is written, or else the entry it
    belongs to. `value` is what to write there; None where that is for a person to decide."""

    entry: str
    key: str
    at: Position | None = None
    written: bool = False
    value: Any = None

    def as_json(self) -> dict[str, object]:
        """Flat record: key, value, written, file, line, column."""
        return {"key": f"{self.entry}.{self.key}", "value": self.value, "written": self.written, **place(self.at)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry(Tabular):
    """What is known of one target: its row of `status`, a fresh climb or the last one that is remembered (`climbed_at`,
    seconds since the epoch), the part of the log around the line that explains it, as (number, text)."""

    columns = ("target", "row", "ok")

    target: Target
    row: StatusRow
    ladder: Ladder | None = None
    climbed_at: float | None = None
    excerpt: tuple[tuple[int, str], ...] = ()
    remedy: Remedy | None = None
    error: LlmstackError | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.error is None

    def as_json(self) -> dict[str, object]:
        """JSON-ready record; what ended before it was stopped keeps the exit code that explains it."""
        why, row = self.ladder.why if self.ladder else None, self.row
        if why and why.exit_code is not None and row.exit_code is not None:
            row = replace(row, exit_code=why.exit_code)
        return {
            **row.as_json(),
            "target": str(self.target),
            "rungs": [rung.as_json() for rung in self.ladder.rungs] if self.ladder else [],
            "climbed_at": rfc3339(self.climbed_at) if self.climbed_at else None,
            "why": why.as_json() if why else None,
            "log": [{"line": number, "text": text} for number, text in self.excerpt],
            "remedy": self.remedy.as_json() if self.remedy else None,
            "error": self.error.as_json() if self.error else None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquest(Document):
    """All that were asked about."""

    columns = Inquiry.columns
    entries, kind = "inquiries", "why"

    inquiries: tuple[Inquiry, ...] = ()

    @property
    def fixes(self) -> Mapping[Target, Remedy]:
        """The remedies with a value, by service."""
        return {
            Target(one.row.service, one.row.host): one.remedy
            for one in self.inquiries
            if one.remedy and one.remedy.value is not None
        }

    @property
    def exit_code(self) -> int:
        """That of what is wrong."""
        return exit_code_of(one.error.exit_code for one in self.inquiries if one.error)
