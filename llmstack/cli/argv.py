"""What the installed door makes of a command line before Invoke's parser sees it.

Bare names become `--model NAME`, flags before the first task go to every task, words after `--` are names whatever
they look like; and what cannot be is told at once with the nearest word that could.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import pairwise

from llmstack.cli.flags import MODEL, PROMPT, Flag
from llmstack.cli.options import STDIN
from llmstack.errors import UsageError

CORE_FLAGS = {"--help": False, "-h": False, "--version": False, "-V": False, "--list": False}
CORE_VALUES = {"--list-format": True, "-F": True}
"""Invoke's own flags that are left, and whether a value follows."""


@dataclass(slots=True)
class _Task:
    """One task of the line (None before the first): its flags, and what it was given, in order."""

    name: str | None
    flags: Sequence[Flag]
    given: list[tuple[Flag | None, tuple[str, ...]]] = field(default_factory=list)

    @property
    def prefix(self) -> str:
        return f"{self.name}: " if self.name else ""

    def has(self, flag: Flag) -> bool:
        return any(other and other.name == flag.name for other, _ in self.given)

    def give(self, flag: Flag, *words: str) -> None:
        if flag.kind is not list and self.has(flag):
            raise UsageError(f"{self.prefix}--{flag.name} is given twice", "once is enough")
        self.given.append((flag, words))


def rewrite(words: Sequence[str], tasks: Mapping[str, Sequence[Flag]]) -> list[str]:
    """The line as Invoke's parser takes it; `tasks` holds each task's flags. Raises UsageError."""
    first, *others = ({flag.name: flag for flag in flags} for flags in tasks.values())
    leading = _Task(None, [flag for name, flag in first.items() if all(name in other for other in others)])
    line, rest = [leading], iter(words)
    for word in rest:
        if word == "--":
            for name in rest:
                _take_bare(line[-1], name, tasks)
        elif word in tasks:
            line.append(_Task(word, tasks[word]))
        elif word in CORE_FLAGS or word.partition("=")[0] in CORE_VALUES:
            value = [_next(leading, word, rest)] if word in CORE_VALUES else []
            line[-1].given.append((None, (word, *value)))
        elif word.startswith("-") and word != STDIN:
            _take_flag(line[-1], word, rest)
        else:
            _take_bare(line[-1], word, tasks)
    return list(_joined(leading, line[1:]))


def wants_json(words: Sequence[str]) -> bool:
    """Whether a line that may not even be valid asks for JSON."""
    pairs = {f"{first}={second}" for first, second in pairwise(words)}
    return not {"-o=json", "--output=json"}.isdisjoint(pairs | set(words)) or "-ojson" in words


def near(word: str, words: Iterable[str]) -> str | None:
    """`did you mean 'up'?`, when something is near."""
    found = get_close_matches(word, list(words), n=1)
    return f"did you mean '{found[0]}'?" if found else None


def _joined(leading: _Task, line: Sequence[_Task]) -> Iterator[str]:
    """Invoke's own flags first, then each task with its own flags and those before the first task that it did not get
    itself."""
    yield from (word for flag, words in leading.given if flag is None or not line for word in words)
    for task in line:
        inherited = [(flag, words) for flag, words in leading.given if flag and not task.has(flag)]
        yield task.name or ""
        yield from (word for _, words in (*task.given, *inherited) for word in words)


def _take_flag(task: _Task, word: str, rest: Iterator[str]) -> None:
    """One flag with its value, spelled `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value` or `-qn`."""
    long = word.startswith("--")
    head, tail = (word.partition("=")[0], word.partition("=")[2]) if long else (word[:2], word[2:].removeprefix("="))
    flag = next((flag for flag in task.flags if head in _spellings(flag)), None)
    if flag is None:
        known = [spelling for flag in task.flags for spelling in _spellings(flag)]
        raise UsageError(f"{task.prefix}no flag '{head}'", near(head, known) or f"flags: {' '.join(known)}")
    attached = word != head
    if flag.takes_value:
        task.give(flag, head, tail if attached else _next(task, head, rest))
    elif long and attached:
        raise UsageError(f"{task.prefix}{head} takes no value", f"write {head}, and nothing behind it")
    else:
        task.give(flag, head)
        if attached:
            _take_flag(task, f"-{tail}", rest)


def _take_bare(task: _Task, word: str, tasks: Iterable[str]) -> None:
    if task.name is None:
        raise UsageError(f"no task '{word}'", near(word, tasks) or f"tasks: {' '.join(tasks)}")
    if PROMPT in task.flags and (" " in word or task.has(MODEL)):
        task.give(PROMPT, f"--prompt={word}")
    elif MODEL in task.flags:
        task.give(MODEL, f"--model={word}")
    else:
        raise UsageError(f"{task.prefix}takes no names, and there is no task '{word}'", near(word, tasks))


def _next(task: _Task, head: str, rest: Iterator[str]) -> str:
    value = next(rest, None)
    if value is None:
        raise UsageError(f"{task.prefix}{head} needs a value", f"write {head} VALUE")
    return value


def _spellings(flag: Flag) -> tuple[str, ...]:
    """The words for a flag; one that is on by default can only be switched off."""
    long = f"--no-{flag.name}" if flag.default is True else f"--{flag.name}"
    return (long, f"-{flag.short}") if flag.short else (long,)
