"""The installed door's command line: what Invoke's parser reads, and with it bare names, flags before the first task
for every task, names after `--`; and what cannot be is told with the nearest word that could."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmstack.cli.flags import MODEL, PROMPT, Flag, near
from llmstack.cli.picked import STDIN
from llmstack.errors import UsageError

Tasks = Mapping[str, Sequence[Flag[Any]]]


def parse(words: Sequence[str], tasks: Tasks) -> list[tuple[str, dict[str, Any]]]:
    """Each task of the line with its values, as Invoke would hand them over; `tasks` holds each task's flags.

    Raises UsageError.
    """
    first, *others = ({flag.name: flag for flag in flags} for flags in tasks.values())
    leading = _Task(None, [flag for name, flag in first.items() if all(name in other for other in others)])
    line, rest = [leading], iter(words)
    for word in rest:
        if word == "--":
            for name in rest:
                line[-1].take_bare(name, tasks)
        elif word in tasks:
            line.append(_Task(word, tasks[word]))
        elif word.startswith("-") and word != STDIN:
            line[-1].take_flag(word, rest)
        else:
            line[-1].take_bare(word, tasks)
    return [(task.name, {**leading.values, **task.values}) for task in line if task.name]


def wants_json(words: Sequence[str]) -> bool:
    """Whether a line that may not even be valid asks for JSON."""
    return bool(re.search(r"(?:^| )(?:-o|--output)[ =]?json(?: |$)", " ".join(words)))


class _Task:
    """One task of the line (no name before the first) with what it was given."""

    def __init__(self, name: str | None, flags: Sequence[Flag[Any]]) -> None:
        self.name, self.flags = name, flags
        self.prefix = f"{name}: " if name else ""
        self.values: dict[str, Any] = {}

    def give(self, flag: Flag[Any], value: object) -> None:
        if flag.kind is list:
            self.values.setdefault(flag.key, []).append(value)
        elif flag.key in self.values:
            raise UsageError(f"{self.prefix}--{flag.name} is given twice", "once is enough")
        else:
            self.values[flag.key] = value

    def take_flag(self, word: str, rest: Iterator[str]) -> None:
        """One flag with its value: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value` or `-qn`."""
        long = word.startswith("--")
        head, _, tail = word.partition("=") if long else (word[:2], "", word[2:].removeprefix("="))
        flag = next((flag for flag in self.flags if head in flag.spellings), None)
        if flag is None:
            known = [spelling for flag in self.flags for spelling in flag.spellings]
            raise UsageError(f"{self.prefix}no flag '{head}'", near(head, known) or f"flags: {' '.join(known)}")
        if flag.kind is not bool:
            value = tail if word != head else next(rest, None)
            if value is None:
                raise UsageError(f"{self.prefix}{head} needs a value", f"write {head} VALUE")
            self.give(flag, value)
            return
        self.give(flag, not flag.default)
        if long and word != head:
            raise UsageError(f"{self.prefix}{head} takes no value", f"write {head}, and nothing behind it")
        if tail:
            self.take_flag(f"-{tail}", rest)

    def take_bare(self, word: str, tasks: Tasks) -> None:
        """A name, or a question."""
        if self.name is None:
            raise UsageError(f"no task '{word}'", near(word, tasks) or f"tasks: {' '.join(tasks)}")
        if PROMPT in self.flags and (" " in word or MODEL.key in self.values):
            self.give(PROMPT, word)
        else:
            self.give(MODEL, word)
