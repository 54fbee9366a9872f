"""Values of the command line (`-e`), which win over all others.

`-e key=value` is a variable of every host. `-e NAME.key=value` (or `services.NAME.key=value`) overrides a service or
model, as `overrides:` in the variables of a host does. `-e @FILE` holds many of both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import Final

from llmstack.domain.position import Position, source_lines
from llmstack.errors import UsageError
from llmstack.inventory.compose import compose
from llmstack.inventory.nodes import COMMAND_LINE, Node, Problems, resolve_plain
from llmstack.inventory.tree import OVERRIDES, Table
from llmstack.inventory.varfiles import read_table

SECTIONS: Final = ("services", "models")
MAX_DEPTH: Final = 10

_PAIR = re.compile(r"([^=\s]+)=(.*)", re.DOTALL)


def read_extra(texts: Sequence[str], cwd: str, problems: Problems) -> list[Table]:
    """Tables of variables, later ones over earlier ones. Raises UsageError for what is neither a value nor a file,
    ConfigError for a file that cannot be read."""
    found: list[Table] = []
    line = 1
    for text in texts:
        problems.sources[COMMAND_LINE] = "\n".join(texts)
        found += _tables(_table(text, cwd, line, problems), problems)
        line += len(source_lines(text))
    return found


def _table(text: str, cwd: str, line: int, problems: Problems) -> Table:
    if text.startswith("@"):
        return read_table(Path(cwd, os.path.expanduser(text[1:])), text[1:], problems)
    pair = _PAIR.fullmatch(text)
    if not pair:
        raise UsageError(f"-e cannot be '{text}'", "write key=value, NAME.key=value or @FILE")
    name, value = pair.groups()
    start = len(name) + 1
    if value[:1] in tuple("[{'\""):
        node = compose("\n" * (line - 1) + " " * start + value, COMMAND_LINE, problems)
    else:
        at = Position(COMMAND_LINE, line, start + 1, len(text) + 1)
        node = Node(at, resolve_plain(value), value)
    return {name: Node(node.at, node.value, node.text, Position(COMMAND_LINE, line, 1, start), node.size)}


def _tables(table: Table, problems: Problems) -> Iterator[Table]:
    """Variables as they are; keys with dots, `services` and `models` as the `overrides` that they mean, each in a table
    of its own."""
    plain: dict[str, Node] = {}
    for key, node in table.items():
        section, _, path = key.partition(".")
        names = (path if section in SECTIONS else key).split(".")
        if len(names) > MAX_DEPTH:
            problems.add(node.key_at, "E014", "no key has that many dots", "NAME.key, as in ollama.port")
        elif section in SECTIONS or path:
            yield {OVERRIDES: reduce(_inside, reversed([name for name in names if name]), node)}
        else:
            plain[key] = node
    yield plain


def _inside(node: Node, name: str) -> Node:
    return Node(node.at, {name: node}, key_at=node.key_at)
