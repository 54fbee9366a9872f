"""Completion in the shell: what could stand where the cursor is."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from llmstack.cli.argv import NAMED_BARE, Tasks, task_name
from llmstack.cli.flags import EXCLUDE, HOST, INVENTORY, LEADING, MODEL, RUN, SERVICE, TAGS, Flag
from llmstack.errors import UsageError

NAMES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys((MODEL.name, "name"), ("models", "services")),
    SERVICE.name: ("services",),
    **dict.fromkeys((HOST.name, *HOST.also), ("hosts", "groups")),
    EXCLUDE.name: ("models", "services", "hosts", "groups"),
    TAGS.name: ("tags",),
}
"""The kinds of names that are values of a flag."""
_BEFORE_LAST = dict.fromkeys((HOST.name, *HOST.also), "^(.*[:,])?[!&]?")
"""What stands before the last name of a pattern."""
SHELLS = ("bash", "zsh")


def script(shell: str) -> str:
    """What makes a shell ask us. Raises UsageError for one that we do not know."""
    if shell not in SHELLS:
        raise UsageError(f"no completion for '{shell}'", f"shells: {' '.join(SHELLS)}")
    return Path(__file__).with_name(f"completion.{shell}").read_text(encoding="utf-8")


def candidates(line: str, tasks: Tasks) -> list[str]:
    """Every word that the last one of `line`, which begins with the program's own name, could become."""
    *before, current = [*line.split(), *([""] if line[-1:].isspace() else [])][1:] or [""]
    task, flag, path = _state(before, tasks)
    known = tasks[task].flags if task else LEADING
    head, equals, value = current.partition("=")
    kept = ""
    if equals and head.startswith("--"):
        flag, kept, current = next((one for one in known if head in one.spellings), None), f"{head}=", value
    if flag:
        current = current.lstrip("'\"")  # the shell keeps an open quote by itself
        last = re.sub(_BEFORE_LAST.get(flag.name, "^.*," if flag.commas else "^"), "", current)
        kept, current = kept + current.removesuffix(last), last
        found: Iterable[str] = _values(flag, path)
    elif current.startswith("-"):
        found = (spelling for one in known for spelling in one.spellings)
    else:
        family = f"{before[-1]}." if before else "."  # a space may stand for the dot
        more = [name.removeprefix(family) for name in tasks if name.startswith(family)]
        more += ["exit-codes"] if before == ["help"] else []
        bare = next((one for one in known if task and one.name in NAMED_BARE), None)
        found = (*tasks, *more, *(_values(bare, path) if bare else ()))
    return [f"{kept}{word}" for word in found if word.startswith(current)]


def task_at(words: Iterable[str], tasks: Tasks) -> str | None:
    """The task that the end of `words` is about."""
    return _state(words, tasks)[0]


def _state(words: Iterable[str], tasks: Tasks) -> tuple[str | None, Flag[Any] | None, str | None]:
    """The task at the end of `words`, the flag of it that waits for its value, and the inventory that was named."""
    task, path, rest = None, None, deque(words)
    while rest:
        word = rest.popleft()
        task = task_name(word, rest, tasks) or task
        known = tasks[task].flags if task else LEADING
        flag = next((one for one in known if word in one.spellings and one.takes_value), None)
        if flag and not rest:
            return task, flag, path
        if flag:
            value = rest.popleft()
            path = value if flag == INVENTORY else path
    return task, None, path


def _values(flag: Flag[Any], path: str | None) -> Iterator[str]:
    yield from flag.choices
    if flag == RUN:
        from llmstack.cli.known import run_ids

        yield from run_ids()
    if flag.name in NAMES:
        from llmstack.cli.known import names_of

        known = names_of(path)
        yield from dict.fromkeys(name for kind in NAMES[flag.name] for name in known.get(kind, ()))
