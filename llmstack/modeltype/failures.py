"""Why servers die, as data: a pattern in the log or error, what it means, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class FailureRule:
    """`pattern` is a case-insensitive regular expression; `meaning` and `do` are one sentence each, `key` the key of
    the service or model that the change is made at in the inventory, if it is made there. What a `passing` rule
    knows may be harmless, or a request's trouble: it explains a server's end only where nothing else does."""

    pattern: str
    meaning: str
    do: str
    key: str | None = None
    passing: bool = False


@cache
def common() -> tuple[FailureRule, ...]:
    """What any server may die of, from `failures.toml`; ordered: of two that know a line the first explains it."""
    import tomllib  # not YAML: plugins and types need the standard library alone

    rules = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["rule"]
    return tuple(FailureRule("|".join(rule.pop("patterns")), **rule) for rule in rules)


_HARMLESS = re.compile(r"level=(WARN|DEBUG)\b|(?<!NCCL )\bWARN(ING)?\b|UserWarning:")
_ERROR_LINE = re.compile(
    r"\b(error|fatal|failed|exception|panic|cannot|could not|unable|denied|killed)\b", re.IGNORECASE
)


def first_error(lines: Sequence[str], rules: Iterable[FailureRule]) -> tuple[int, str, FailureRule | None] | None:
    """The line that explains a failure: its number from 1, its text and the rule that knows it.

    A line that a rule knows wins over the first that merely sounds like an error, and a server's trouble over a
    request's; later lines are consequences.
    """
    compiled = [(rule, re.compile(rule.pattern, re.IGNORECASE)) for rule in rules]
    serious = [(number, line) for number, line in enumerate(lines, 1) if not _HARMLESS.search(line)]
    passing = None
    for number, line in serious:
        rule = next((rule for rule, pattern in compiled if pattern.search(line)), None)
        if rule and not rule.passing:
            return number, line, rule
        passing = passing or ((number, line, rule) if rule else None)
    return passing or next(((number, line, None) for number, line in serious if _ERROR_LINE.search(line)), None)
