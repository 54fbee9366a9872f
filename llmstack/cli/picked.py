"""Which names were picked, and the command as it could be typed again."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from llmstack.cli.flags import EXTRA, PROMPT, Flag
from llmstack.errors import UsageError

if TYPE_CHECKING:
    from llmstack.domain.selection import Selection

STDIN = "-"
"""In place of a name: names are read from standard input, one per line."""


def selection(models: Iterable[str], services: tuple[str, ...], hosts: tuple[str, ...], **more: Any) -> Selection:
    """The names picked; `name@host` picks both. Raises UsageError when pairs cannot be told as names and hosts."""
    from llmstack.domain.selection import Selection

    words = [name for word in models for name in (names_from_stdin() if word == STDIN else (word,))]
    pairs = [(name, host) for name, _, host in (word.partition("@") for word in words)]
    names, named = dict.fromkeys(name for name, _ in pairs), dict.fromkeys(host for _, host in pairs)
    if any(named) and (len(set(pairs)) != len(names) * len(named) or "" in named or hosts or services):
        raise UsageError(
            "these names are on different hosts", "one task per host, or plain names with --host", names=words
        )
    return Selection(models=tuple(names), services=services, hosts=(*hosts, *filter(None, named)), **more)


@cache
def names_from_stdin() -> tuple[str, ...]:
    """Read once, for all tasks of a chain."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("`-` reads names from standard input, which is a terminal", "give the names, or pipe them in")
    names = tuple(line.strip() for line in sys.stdin if line.strip())
    if not names:
        raise UsageError("no names came from standard input", "an empty list is not taken for everything")
    return names


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
