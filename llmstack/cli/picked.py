"""Which names were picked, and the command as it could be typed again."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from llmstack.cli.flags import EXTRA, PROMPT, Flag
from llmstack.errors import NoMatchError, UsageError

if TYPE_CHECKING:
    from llmstack.cli.session import Session
    from llmstack.domain.selection import Selection

STDIN = "-"
"""In place of a name: names are read from standard input, one per line."""
MOST_TEXT = 10_000_000
"""Characters that are read from standard input."""
_WENT_WRONG = ("failed", "unreachable", "unhealthy", "skipped")


class NothingNamedError(NoMatchError):
    """The names were to come from standard input, and there are none: nothing is to be done, which is no failure."""


def selection(models: tuple[str, ...], **more: tuple[str, ...]) -> Selection:
    """The names picked, those from standard input among them."""
    from llmstack.domain.selection import Selection

    words = (name for word in models for name in (names_from_stdin() if word == STDIN else (word,)))
    return Selection(models=tuple(dict.fromkeys(words)), **more)


@cache
def names_from_stdin() -> tuple[str, ...]:
    """Read once, for all tasks of a chain. Raises UsageError or NothingNamedError."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("`-` reads names from standard input, which is a terminal", "give the names, or pipe them in")
    lines = re.split("[\\n\\0]", piped_text())
    names = [name for number, line in enumerate(lines, start=1) for name in _names(line.strip(), number)]
    if not names:
        raise NothingNamedError("no names came from standard input, so there is nothing to do")
    return tuple(names)


def piped_text() -> str:
    """What is piped in. Raises UsageError for what is no text, or too long to be meant."""
    try:
        text = sys.stdin.read(MOST_TEXT + 1)
        text.encode()  # in some locales Python reads any bytes, as text that is none
    except UnicodeError as error:
        raise UsageError("standard input is no UTF-8 text", "pipe text in") from error
    if len(text) > MOST_TEXT:
        raise UsageError(f"standard input has more than {MOST_TEXT} characters", "pipe less in")
    return text


def _names(line: str, number: int) -> Iterable[str]:
    """The name on a line; of an NDJSON line what it tells of, unless that went wrong there. Raises UsageError."""
    if line[:1] not in tuple("{["):
        return [line] if line else []
    hint = "pipe -o names or -o ndjson in"
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"line {number} of standard input is no JSON", hint) from error
    facts = item if isinstance(item, dict) else {}
    if facts.get("type", "item") not in ("item", "result") or facts.get("status") in _WENT_WRONG:
        return []
    name, host = facts.get("model") or facts.get("service") or facts.get("name"), facts.get("host") or ""
    if not isinstance(name, str) or not isinstance(host, str):
        raise UsageError(f"line {number} of standard input tells of no model or service", hint)
    return [f"{name}@{host}" if host else name]


def command_line(door: str, task: str, flags: Iterable[Flag[Any]], values: Mapping[str, Any]) -> str:
    """The task as it could be typed again."""
    words = [door, task]
    for flag in flags:
        value = values.get(flag.key)
        if value in (None, flag.default):
            continue
        for item in value if flag.kind is list else [value]:
            words += [f"--{flag.name}", str(item)] if flag.takes_value else flag.spellings[:1] * int(value or 1)
    return shlex.join(words)


def kept_command(door: str, task: str, flags: Iterable[Flag[Any]], values: Mapping[str, Any]) -> str:
    """As `command_line`, for others to read: without a prompt, and without the values of `--extra`, which may be
    secret."""
    keys = [f"{item.partition('=')[0]}=..." if "=" in item else item for item in values.get(EXTRA.key) or ()]
    told = [flag for flag in flags if flag != PROMPT]
    return command_line(door, task, told, {**values, EXTRA.key: keys})


def to_copy(session: Session, how: str, changed: Mapping[str, object]) -> str:
    """Its command with other flags; in words (`how`) where it gave values that are never shown."""
    if any("=" in item for item in session[EXTRA]):
        return f"this command again, {how}"
    return kept_command(session.door, session.task or "", session.flags, {**session.values, **changed})
