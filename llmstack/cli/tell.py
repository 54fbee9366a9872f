"""What the installed door tells of its tasks: lists and help."""

from __future__ import annotations

import inspect
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from llmstack.cli.flags import COMMON, MODEL, SELECT, Flag
from llmstack.cli.task import Verb
from llmstack.errors import meanings

Groups = Mapping[str, Sequence[Verb]]
USAGE = """Usage: {door} TASK [NAME ...] [--flags] [TASK ...]
"""
WIDTH = 80
"""Where there is no terminal to fit into, or one that is too narrow."""
LEAST = 20
"""Cells that a text needs beside something."""

MORE = """{door} TASK --help tells a task's flags, {door} help exit-codes what a run can end with."""


def overview(door: str, groups: Groups) -> str:
    """Usage and all tasks, in their groups."""
    return "\n".join((USAGE.format(door=door), *_grouped(groups), *_folded(MORE.format(door=door))))


def listing(groups: Groups) -> str:
    """All tasks, in their groups."""
    return "\n".join(_grouped(groups)).rstrip()


def as_json(tasks: Iterable[Verb]) -> str:
    """All tasks with their flags, for programs."""
    told = [{"name": task.name, "help": task.about, "flags": list(map(_flag, task.flags))} for task in tasks]
    return json.dumps({"v": 1, "kind": "tasks", "tasks": told}, indent=2)


def task_help(door: str, task: Verb) -> str:
    """One task: what it does, its flags, examples."""
    own = [flag for flag in task.flags if flag not in (*SELECT, *COMMON)]
    parts = {
        "Flags": own,
        "What is meant": [flag for flag in task.flags if flag in SELECT],
        "Of every task": [flag for flag in task.flags if flag in COMMON],
    }
    names = " [NAME ...]" if MODEL in task.flags else ""
    lines = [f"Usage: {door} {task.name}{names} [--flags]", ""]
    for paragraph in inspect.cleandoc(task.doc).split("\n\n"):
        lines += [*_folded(" ".join(paragraph.split())), ""]
    for title, flags in parts.items():
        lines += [f"{title}:", *_rows([(_spelled(flag), flag.told) for flag in flags]), ""] if flags else []
    lines += ["Examples:", *(f"  {door} {example}" for example in task.examples)] if task.examples else []
    return "\n".join(lines).rstrip()


def exit_codes() -> str:
    """What each code means."""
    rows = [_folded(text, f"{code:>4}  {name:<11}  ") for code, (name, text) in meanings().items()]
    return "\n".join(line for lines in rows for line in lines)


def _grouped(groups: Groups) -> Iterator[str]:
    width = max(len(task.name) for tasks in groups.values() for task in tasks)
    for title, tasks in groups.items():
        yield title
        for task in tasks:
            yield from _folded(task.about, f"  {task.name:<{width}}  ")
        yield ""


def _rows(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max(len(left) for left, _ in rows)
    return (line for left, right in rows for line in _folded(right, f"  {left:<{width}}  "))


def _folded(text: str, beside: str = "") -> list[str]:
    """`text` in lines that fit; the first stands `beside` something, and the others below it."""
    terminal = shutil.get_terminal_size((WIDTH, 24)).columns
    width = terminal if terminal >= len(beside) + LEAST else WIDTH
    return wrap(text, width, initial_indent=beside, subsequent_indent=" " * len(beside), break_on_hyphens=False)


def _spelled(flag: Flag[Any]) -> str:
    """`-m, --model NAME`."""
    value = re.search(r"\b[A-Z]{3,}(=[A-Z]+)?\b", flag.help)
    what = f" {value[0] if value else 'VALUE'}" if flag.takes_value else ""
    return ", ".join(sorted(flag.spellings, key=len)) + what


def _flag(flag: Flag[Any]) -> dict[str, object]:
    facts = {"takes_value": flag.takes_value, "again": flag.kind is list, "default": flag.default}
    return {"name": flag.name, "spellings": flag.spellings, "help": flag.told, **facts}
