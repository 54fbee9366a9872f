"""What the user asked for, as typed values."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from llmstack.cli.flags import Flag
from llmstack.domain.selection import Selection
from llmstack.errors import ConfigError, UsageError

STDIN = "-"
"""In place of a name: names are read from standard input, one per line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """All flags of all tasks; a task sets those it knows."""

    models: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    inventory: str | None = None
    store: str | None = None
    output: str = "text"
    color: str = "auto"
    quiet: bool = False
    check: bool = False
    diff: bool = False
    wait: bool = True
    deep: bool = False
    orphans: bool = False
    timeout_s: float | None = None
    lock_wait_s: float = 0.0
    tail: int | None = None
    follow: bool = False
    prompt: str | None = None
    max_tokens: int | None = None


def read_options(flags: Iterable[Flag], values: Mapping[str, object]) -> Options:
    """Options from the text that Invoke hands over. Raises UsageError for a value that cannot be, ConfigError for one
    from the environment."""
    return Options(**{flag.field: _read(flag, values.get(flag.key)) for flag in flags})  # type: ignore[arg-type]


def selection(options: Options) -> Selection:
    """The names picked; `name@host` picks both. Raises UsageError when pairs cannot be told as names and hosts."""
    words = [name for word in options.models for name in (_names_from_stdin() if word == STDIN else (word,))]
    pairs = [(name, host) for name, _, host in (word.partition("@") for word in words)]
    names, hosts = dict.fromkeys(name for name, _ in pairs), dict.fromkeys(host for _, host in pairs)
    if any(hosts) and (len(set(pairs)) != len(names) * len(hosts) or "" in hosts or options.hosts or options.services):
        raise UsageError(
            "these names are on different hosts", "one task per host, or plain names with --host", names=words
        )
    return Selection(models=tuple(names), services=options.services, hosts=(*options.hosts, *filter(None, hosts)))


def command_line(door: str, task: str, flags: Iterable[Flag], values: Mapping[str, object]) -> str:
    """The task as it could be typed again; a prompt is left out, since it is nobody else's business."""
    words = [door, task]
    for flag in flags:
        value = values.get(flag.key)
        if value is None or value == flag.default or flag.field == "prompt":
            continue
        if not flag.takes_value:
            words.append(f"--{'' if value else 'no-'}{flag.name}")
        for item in _texts(value) if flag.takes_value else ():
            words += [f"--{flag.name}", item]
    return shlex.join(words)


def _read(flag: Flag, value: object) -> object:
    if not flag.takes_value:
        return flag.default if value is None else value
    if flag.kind is list:
        return tuple(_cast(flag, text) for text in _texts(value))
    if value is not None:
        return _cast(flag, str(value))
    from_environ = os.environ.get(flag.env) if flag.env else None
    if flag.env and from_environ:
        return _cast(flag, from_environ, flag.env)
    return None if flag.default is None else _cast(flag, str(flag.default))


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)] if value is not None else []


def _cast(flag: Flag, text: str, variable: str | None = None) -> object:
    try:
        return flag.read(text)
    except ValueError as error:
        if variable:
            raise ConfigError(f"{variable} cannot be '{text}'", str(error)) from error
        raise UsageError(f"--{flag.name} cannot be '{text}'", str(error)) from error


@cache
def _names_from_stdin() -> tuple[str, ...]:
    """Read once, for all tasks of a chain."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("`-` reads names from standard input, which is a terminal", "give the names, or pipe them in")
    names = tuple(line.strip() for line in sys.stdin if line.strip())
    if not names:
        raise UsageError("no names came from standard input", "an empty list is not taken for everything")
    return names
