"""What was written, where it stands, and what is wrong with it.

Scalars follow the YAML 1.2 core schema: `no`, `on` and `22:22` are text; `017` is 17.

    E001 not YAML    E002 tag          E003 duplicate key   E004 size or alias    E005 Jinja
    E010 schema      E011 key missing  E012 key unknown     E013 wrong value      E014 bad name
    E015 key of the service            E020 bad pattern     E021 unknown host     E022 nothing selected
    E040 variable    E042 .env         E043 two files     E050 port taken twice
    E051 dependency  E052 out of reach     E053 unknown service  E054 plugin is not there

E03x are the type's: they are found when the plugins are known. E023 is told in `core.twins`: two names of one engine.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from llmstack.domain.names import nearest
from llmstack.domain.position import KEY, KeyPath, Position, Problem, Via, source_lines
from llmstack.domain.service import Inventory
from llmstack.errors import InventoryError

MAX_PROBLEMS, MAX_MESSAGE = 100, 600
"""Nobody reads more at once."""

MOST_LISTED = 12
COMMAND_LINE = "-e"
"""In place of a file: values of the command line."""
SMALLER = "make it smaller, or divide it"
ONE_WORD = "write one text, in quotes if need be"
JINJA, PLAIN_NAME = "'{{ }}' is Jinja, which an inventory here does not have", "write ${name}; there are no expressions"

Plain = str | int | float | bool | None

_WORDS: dict[str, Plain] = dict.fromkeys(("", "~", "null", "Null", "NULL"))
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_INT = re.compile(r"[-+]?[0-9]{1,400}|0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")

_FOREIGN = {"volumes": "mounts", "ports": "port", "environment": "env", "command": "args", "model": "source"}
_FOREIGN |= {"gpus": "resources.gpus", "memory": "resources.memory", "plugin": "type", "host": "hosts"}
"""What other tools call our keys."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its place; `text` is a scalar as it was written (`1.10` stays `1.10`), None for lists and mappings.
    `size` counts the values in it, aliases expanded; `via` names what was filled in."""

    at: Position
    value: Plain | list[Node] | dict[str, Node] = None
    text: str | None = None
    key_at: Position | None = None
    size: int = 1
    via: tuple[Via, ...] = ()

    @property
    def table(self) -> Mapping[str, Node]:
        """The entries of a mapping; nothing else has any."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """The items of a list; nothing else has any."""
        return self.value if isinstance(self.value, list) else []


def resolve_plain(text: str) -> Plain:
    """The value of an unquoted scalar in YAML 1.2's core schema; what would not survive as a number stays text."""
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def plain(node: Node) -> Any:
    """Plain Python values, typed as YAML types them."""
    if isinstance(node.value, dict):
        return {key: plain(inner) for key, inner in node.value.items()}
    return [plain(inner) for inner in node.value] if isinstance(node.value, list) else node.value


def merge(base: Node, over: Node) -> Node:
    """`over` laid on `base`: mappings merge deeply, lists, scalars and secrets replace, null deletes."""
    if not isinstance(over.value, dict):
        return over
    entries = {} if "from" in base.table or "from" in over.value else dict(base.table)
    for key, inner in over.value.items():
        under = entries.pop(key, None)
        if inner.value is not None:
            entries[key] = merge(under or Node(inner.at), inner)
    return replace(over, value=entries)


def positions(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, Position]]:
    """The place of every value, and of every key under its path + `@key`."""
    yield path, node.at
    if node.key_at:
        yield (*path, KEY), node.key_at
    children: Iterable[tuple[str | int, Node]] = (*node.table.items(), *enumerate(node.items))
    for key, inner in children:
        yield from positions(inner, (*path, key))


class Problems:
    """Mistakes, gathered until all of them are known, each once: a service on many hosts makes one many times."""

    def __init__(self, source: str, file: str) -> None:
        self.sources = {file: source}
        self._lines: dict[str, list[str]] = {}
        self._found: dict[tuple[str, Position | None], Problem] = {}

    def add(self, at: Position | None, code: str, message: str, suggestion: str) -> None:
        """Note one mistake; `suggestion` is the nearest valid word, or the fix in a few words. A value with a tag, or
        of Jinja, is wrong for that alone."""
        if {("E002", at), ("E005", at)} & self._found.keys():
            return
        if len(message) > MAX_MESSAGE:
            message = f"{message[:MAX_MESSAGE]} ..."
        self._found.setdefault((code, at), Problem(code, message, at, suggestion, self._line(at) if at else None))
        if len(self._found) >= MAX_PROBLEMS:
            raise self.error()

    def _line(self, at: Position) -> str | None:
        if at.file not in self._lines:
            self._lines[at.file] = source_lines(self.sources.get(at.file, ""))
        return "".join(self._lines[at.file][at.line - 1 : at.line]) or None

    def fail(self, at: Position | None, code: str, message: str, suggestion: str = SMALLER) -> NoReturn:
        """Note a mistake after which nothing can be read, and raise InventoryError with all of them."""
        self.add(at, code, message, suggestion)
        raise self.error()

    def error(self, inventory: Inventory | None = None) -> InventoryError:
        """All mistakes, in the order of the file; `inventory` is what could be read all the same."""
        return InventoryError(sorted(self._found.values(), key=Problem.order), inventory=inventory)

    def raise_any(self, inventory: Inventory | None = None) -> None:
        """Raise InventoryError when there is any mistake."""
        if self._found:
            raise self.error(inventory)


def within(node: Node, start: int, length: int) -> Position:
    """The part of a scalar's text, where it stands in the file as it reads (plain, or in quotes); else all of it."""
    at = node.at
    quotes = (at.end_column or at.column) - at.column - len(node.text or "")
    if quotes not in (0, 2) or not length:
        return at
    column = at.column + quotes // 2 + start
    return replace(at, column=column, end_column=column + length)


@dataclass(frozen=True, slots=True)
class Spot:
    """A node being read: the words for where it stands, and what its values are read with. Relative paths start at
    `folder`, `environ` fills secrets, and `local` tells whether it is for this machine."""

    node: Node
    where: str
    problems: Problems
    folder: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    local: bool = True

    def wrong(self, should_be: str, suggestion: str) -> Any:
        """Note what the value should be; None, for a reader to return."""
        self.problems.add(self.node.at, "E013", f"{self.where} should be {should_be}", suggestion)
        return None

    def add(self, code: str, message: str, suggestion: str, *, key: bool = True) -> None:
        """Note a mistake at the key, else at the value."""
        self.problems.add((key and self.node.key_at) or self.node.at, code, message, suggestion)

    def fail(self, code: str, message: str, suggestion: str = SMALLER) -> NoReturn:
        """Note a mistake after which nothing can be read, and raise InventoryError with all of them."""
        self.problems.fail(self.node.key_at or self.node.at, code, message, suggestion)

    def get(self, key: str | int) -> Spot:
        """A value in a mapping or list; null where nothing is written."""
        inner = self.node.items[key] if isinstance(key, int) else self.node.table.get(key)
        where = f"{self.where}.{key}" if self.where else str(key)
        return Spot(inner or Node(self.node.at), where, self.problems, self.folder, self.environ, self.local)

    def items(self) -> list[Spot]:
        """All values of a list."""
        return [self.get(index) for index in range(len(self.node.items))]

    def entries(self, known: Iterable[str] | None = None) -> dict[str, Spot]:
        """All values of a mapping. What is none is noted, as is each key that is not `known`."""
        if self.node.value is not None and not isinstance(self.node.value, dict):
            self.wrong("a mapping (name: value)", _as_mapping(self.node))
        spots = {key: self.get(key) for key in self.node.table}
        names = sorted(known or ())
        for key, inner in spots.items():
            if known is not None and key not in names:
                inner.add("E012", f"unknown key '{key}' in {self.where}", better_key(key, names))
        return spots

    def text(self) -> str | None:
        """A scalar as it was written; None when it is something else, which is noted."""
        return self.wrong("text", ONE_WORD) if self.node.value is None or self.node.text is None else self.node.text


def better_key(key: str, known: Collection[str]) -> str:
    """What an unknown key was meant to be: a near one, or what other tools' word is called here; else all."""
    foreign = _FOREIGN.get(key.lower(), "")
    return foreign if foreign.split(".")[0] in known else nearest(key, known) or f"remove it; known: {listed(known)}"


def listed(names: Iterable[str]) -> str:
    """The first of many names."""
    names = sorted(names)
    return f"{', '.join(names[:MOST_LISTED])}{', ...' if len(names) > MOST_LISTED else ''}" or "none"


def _as_mapping(node: Node) -> str:
    """How something else was probably meant to be written."""
    if node.items:
        first = node.items[0]
        name, _, value = (first.text or next(iter(first.table), "NAME")).partition("=")
        return f"write {name}: {value or '...'}, not a list"
    name, colon, value = (node.text or "").partition(":")
    if colon and name and value:
        return f"write a blank after the colon: {name}: {value}"
    return "write NAME: value"
