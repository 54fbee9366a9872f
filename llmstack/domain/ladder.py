"""The readiness ladder: what was proved, how long it took, and why a rung failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from llmstack.domain.tabular import Tabular
from llmstack.domain.target import Target

FIGURES = ("first_token_ms", "tokens", "tokens_per_s", "clock")
"""What is kept of an answer."""


class Rung(StrEnum):
    """One step from created to really answering."""

    CREATED = "created"
    RUNNING = "running"
    PORT = "port"
    API = "api"
    WEIGHTS = "weights"
    LOADED = "loaded"
    ANSWERED = "answered"
    DEVICE = "device"
    CHECKED = "checked"
    LINKED = "linked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a real request came to; rates are None where nobody can tell, `clock` says who measured."""

    text: str
    first_token_ms: float | None = None
    tokens: int | None = None
    tokens_per_s: float | None = None
    clock: str = "client"

    @property
    def figures(self) -> str:
        """What is known of its speed, in words."""
        first = f"first token {self.first_token_ms:.0f} ms" if self.first_token_ms is not None else ""
        rate = f"{self.tokens_per_s:.0f} tokens/s" if self.tokens_per_s is not None else ""
        return " · ".join(part for part in (first, rate) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class RungResult:
    """A rung that was tried: `ok` None means it could not be told (unknown, or on demand). `ms` counts from the start
    of the climb for rungs up to `loaded`, and is the request's own time for `answered`. `check` names the check that a
    `checked` is of."""

    rung: Rung
    ok: bool | None
    ms: float
    detail: str = ""
    answer: Answer | None = None
    check: str | None = None

    def as_json(self) -> dict[str, object]:
        """Flat, JSON-ready record; the figures of an answer stand beside the rung's own."""
        told = {"rung": self.rung.value, "ok": self.ok, "ms": round(self.ms, 1), "detail": self.detail}
        record: dict[str, object] = {**told, **({} if self.check is None else {"check": self.check})}
        if self.answer:
            record |= {name: getattr(self.answer, name) for name in FIGURES}
        return record


def rung_of(record: Mapping[str, Any]) -> RungResult:
    """The rung of a record such as `as_json` makes; the text of an answer stands in none."""
    answer = None
    if record.get("clock") is not None:
        answer = Answer(text="", **{name: record[name] for name in FIGURES})
    told = {name: record[name] for name in ("ok", "ms", "detail")}
    return RungResult(rung=Rung(record["rung"]), answer=answer, check=record.get("check"), **told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """Why a rung failed: the first error line of the log, its meaning, and one concrete change (`do`), with the key of
    the inventory it is made at. `last_lines` are those that its log ended with."""

    summary: str
    meaning: str | None = None
    do: str | None = None
    key: str | None = None
    log_line: int | None = None
    exit_code: int | None = None
    out_of_memory: bool | None = None
    restarts: int | None = None
    last_lines: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        return {name: getattr(self, name) for name in self.__slots__}


def why_of(record: Mapping[str, Any]) -> Why:
    """The reason of a record such as `as_json` makes."""
    return Why(**{**record, "last_lines": tuple(record.get("last_lines", ()))})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder(Tabular):
    """How far one target climbed; `ok` when no rung failed."""

    columns = ("rung", "ok", "ms", "detail")
    entries = "rungs"

    target: Target
    rungs: tuple[RungResult, ...] = ()
    why: Why | None = None

    @property
    def ok(self) -> bool:
        """Every rung that was tried holds, or could not be told."""
        return self.why is None and all(rung.ok is not False for rung in self.rungs)

    @property
    def fallen(self) -> Rung | None:
        """The first rung that failed."""
        return next((result.rung for result in self.rungs if result.ok is False), None)

    @property
    def start_s(self) -> float | None:
        """Seconds from just before the start (`created`) to the last rung; None for a climb that was no start."""
        created = self.find(Rung.CREATED)
        end_ms = 0.0
        for result in self.rungs:
            end_ms = end_ms + result.ms if result.rung is Rung.ANSWERED else max(end_ms, result.ms)
        return (end_ms - created.ms) / 1000 if created else None

    def find(self, rung: Rung) -> RungResult | None:
        """The result of `rung`, None when it was not reached."""
        return next((result for result in self.rungs if result.rung is rung), None)
