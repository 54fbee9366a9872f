"""What `doctor` finds: one sentence per check, and the command that repairs what is wrong."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from llmstack.domain.tabular import Document, Tabular
from llmstack.errors import FAILED, LlmstackError, exit_code_of


class Verdict(StrEnum):
    """What a check came to; `skipped` is what could not be looked at."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding(Tabular):
    """One check of `target` (a host, or what else it is about); `fix` is the next step where something is wrong,
    `code` the exit code that a failure stands for."""

    columns = ("check", "target", "verdict", "summary", "fix")

    check: str
    target: str
    verdict: Verdict
    summary: str
    fix: str | None = None
    code: int = FAILED

    def as_json(self) -> dict[str, object]:
        """JSON-ready record."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "code"}


def trouble(check: str, target: str, error: LlmstackError, *, verdict: Verdict = Verdict.FAILED) -> Finding:
    """An error as a finding."""
    message = error.message.removeprefix(f"{target}: ")
    return Finding(check, target, verdict, message, error.hint, error.exit_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup(Document):
    """All findings, in the order in which they were looked for."""

    columns = Finding.columns
    entries, kind = "findings", "doctor"

    findings: tuple[Finding, ...] = ()

    @property
    def exit_code(self) -> int:
        """That of the failures; a warning is none."""
        return exit_code_of(one.code for one in self.findings if one.verdict is Verdict.FAILED)
