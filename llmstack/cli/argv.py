"""The installed door's command line: what Invoke's parser reads, and with it bare names, flags before the first task
for every task, names after `--`; and what cannot be is told with the nearest word that could."""

from __future__ import annotations

import re
import shlex
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmstack.cli.flags import LEADING, MODEL, PROMPT, Flag, near
from llmstack.cli.picked import STDIN
from llmstack.errors import UsageError

if TYPE_CHECKING:
    from llmstack.cli.task import Verb


Tasks = Mapping[str, "Verb"]

_OURS = {"up": "start serve deploy apply create", "down": "stop kill destroy", "status": "ps ls list show"}
_OURS |= {"health": "check test", "ask": "run chat generate", "rm": "remove delete", "restart": "reload"}
_OURS |= {"help exit-codes": "exit-codes codes", "--print-completion-script bash": "completion completions"}
_FLAGS = {"--check": "--dry-run -n -C", "--diff": "-D", "--output": "--json --format", "--no-wait": "--detach -d"}
_FLAGS |= {"--follow": "-f", "--yes": "--force", "--host": "--hosts", "--tags": "-t --tag"}
_ELSEWHERE = {word: ours for ours, words in (_OURS | _FLAGS).items() for word in words.split()}
"""What other programs call our tasks and flags."""
_ALONE = ("--help", "--list", "--version")

_A_NAME = re.compile(r"[\w.@:+/-]+")
NAMED_BARE = ("model", "name", "kind", "limit", "host")
"""Flags that a word without a flag is for."""


def parse(words: Sequence[str], tasks: Tasks) -> list[tuple[str, dict[str, Any]]]:
    """Each task of the line with its values, as Invoke would hand them over.

    Raises UsageError, and what makes a task of the line impossible.
    """
    leading = _Task(None, LEADING)
    line, rest = [leading], deque(words)
    while rest:
        word = rest.popleft()
        if word == "--":
            if line == [leading]:
                raise UsageError("`--` stands between a task and its names", f"write TASK {shlex.join([word, *rest])}")
            while rest:
                line[-1].take_bare(rest.popleft(), tasks)
        elif name := task_name(word, rest, tasks):
            if error := tasks[name].error:
                raise error
            line.append(_Task(name, tasks[name].flags))
        elif word.startswith("-") and word != STDIN:
            line[-1].take_flag(word, rest, tasks)
        else:
            line[-1].take_bare(word, tasks)
    return [(task.name, {**leading.values_for(task), **task.values}) for task in line if task.name]


def wanted_format(words: Sequence[str]) -> str:
    """The format that a line asks for which may not even be valid."""
    found = re.search(r"(?:^| )(?:-o|--output)[ =]?(json|ndjson)(?: |$)", " ".join(words))
    return found[1] if found else "text"


def task_name(word: str, rest: deque[str], tasks: Tasks) -> str | None:
    """The task that begins here; `inventory graph` is `inventory.graph`."""
    if rest and f"{word}.{rest[0]}" in tasks:
        return f"{word}.{rest.popleft()}"
    return word if word in tasks else None


class _Task:
    """One task of the line (no name before the first) with what it was given."""

    def __init__(self, name: str | None, flags: Sequence[Flag[Any]]) -> None:
        self.name, self.flags = name, flags
        self.prefix = f"{name}: " if name else ""
        self.values: dict[str, Any] = {}

    def values_for(self, task: _Task) -> dict[str, Any]:
        """Those of its values that `task` has a flag for."""
        keys = {flag.key for flag in task.flags}
        return {key: value for key, value in self.values.items() if key in keys}

    def give(self, flag: Flag[Any], value: object) -> None:
        if flag.kind is int:
            self.values[flag.key] = self.values.get(flag.key, 0) + 1
        elif flag.kind is list:
            self.values.setdefault(flag.key, []).append(value)
        elif flag.key in self.values:
            raise UsageError(f"{self.prefix}--{flag.name} is given twice", "once is enough")
        else:
            self.values[flag.key] = value

    def take_flag(self, word: str, rest: deque[str], tasks: Tasks) -> None:
        """One flag with its value: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value` or `-qn`."""
        long = word.startswith("--")
        head, _, tail = word.partition("=") if long else (word[:2], "", word[2:].removeprefix("="))
        flag = next((flag for flag in self.flags if head in flag.spellings), None)
        known = [spelling for flag in self.flags for spelling in flag.spellings]
        if flag is None:
            meant = _ELSEWHERE.get(head, head)
            owners = [name for name, task in tasks.items() if any(meant in flag.spellings for flag in task.flags)]
            after = next((name for name in rest if name in owners), next(iter(owners), None))
            hint = near(meant, known if self.name else (*known, *_ALONE))
            if after and not self.name:
                hint = f"it follows its task: {after} {meant}"
            helps = shlex.join(filter(None, ("llmstack", self.name, "--help")))
            raise UsageError(f"{self.prefix}no flag '{head}'", hint or helps)
        if flag.takes_value:
            if word == head and (not rest or rest[0] in known):
                raise UsageError(f"{self.prefix}{head} needs a value", f"write {head} VALUE")
            self.give(flag, tail if word != head else rest.popleft())
            return
        self.give(flag, not head.startswith("--no-"))
        if long and word != head:
            raise UsageError(f"{self.prefix}{head} takes no value", f"write {head}, and nothing behind it")
        if tail:
            self.take_flag(f"-{tail}", rest, tasks)

    def take_bare(self, word: str, tasks: Tasks) -> None:
        """A name, or a question."""
        if self.name is None:
            family = [name for name in tasks if name.startswith(f"{word}.")]
            hint = f"tasks: {' '.join(family)}" if family else near(_ELSEWHERE.get(word, word), (*tasks, *_OURS))
            raise UsageError(f"no task '{word}'", hint or "llmstack --list shows all tasks")
        names = next((flag for flag in self.flags if flag.name in NAMED_BARE), None)
        if PROMPT in self.flags and (MODEL.key in self.values or not _A_NAME.fullmatch(word)):
            self.give(PROMPT, word)
        elif names:
            self.give(names, word)
        else:
            raise UsageError(f"{self.prefix}'{word}' is neither a task nor a flag", near(word, tasks))
