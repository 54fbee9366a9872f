"""A YAML document as a tree that knows where each key and value stands, and how each scalar was written.

Scalars follow the YAML 1.2 core schema: `no`, `on` and `22:22` are text; `017` is 17.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from llmstack.domain.position import KEY, KeyPath, Position

Plain = str | int | float | bool | None

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,400}|0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `text` is what was written, so that `1.10` can stay `1.10`."""

    at: Position
    value: Plain
    text: str
    size: int = 1


@dataclass(frozen=True, slots=True)
class Listing:
    """A sequence."""

    at: Position
    items: tuple[Node, ...] = ()
    size: int = 1


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping; keys are the text that was written."""

    at: Position
    entries: Mapping[str, Entry] = field(default_factory=dict)
    size: int = 1

    def get(self, key: str) -> Node | None:
        """The value of `key`; None when it is not there or null."""
        entry = self.entries.get(key)
        return None if entry is None or is_null(entry.node) else entry.node


Node = Scalar | Listing | Table


class Entry(NamedTuple):
    """A value and the place of its key."""

    key_at: Position
    node: Node


def is_null(node: Node) -> bool:
    """Whether nothing was written."""
    return isinstance(node, Scalar) and node.value is None


def resolve_plain(text: str) -> Plain:
    """The value of an unquoted scalar in YAML 1.2's core schema; what would not survive as a number stays text."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def plain(node: Node) -> object:
    """Plain Python values, typed as YAML types them."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Listing):
        return [plain(item) for item in node.items]
    return {key: plain(entry.node) for key, entry in node.entries.items()}


def as_text(node: Node) -> object:
    """As `plain`, with every scalar as it was written; the schema decides what it is read as."""
    if isinstance(node, Scalar):
        return None if node.value is None else node.text
    if isinstance(node, Listing):
        return [as_text(item) for item in node.items]
    return {key: as_text(entry.node) for key, entry in node.entries.items()}


def merge(base: Table, over: Table) -> Table:
    """`over` laid on `base`: mappings merge deeply, lists and scalars replace, null deletes."""
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        below = entries.pop(key, None)
        if is_null(entry.node):
            continue
        if isinstance(entry.node, Table):
            under = below.node if below and isinstance(below.node, Table) else Table(entry.node.at)
            if _is_reference(entry.node, under):
                under = Table(entry.node.at)
            entries[key] = Entry(entry.key_at, merge(under, entry.node))
        else:
            entries[key] = entry
    return Table(over.at, entries)


def positions(node: Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Position]]:
    """The place of every value, and of every key under its path + `@key`."""
    yield path, node.at
    if isinstance(node, Table):
        for key, entry in node.entries.items():
            yield (*path, key, KEY), entry.key_at
            yield from positions(entry.node, (*path, key))
    elif isinstance(node, Listing):
        for index, item in enumerate(node.items):
            yield from positions(item, (*path, index))


def _is_reference(*tables: Table) -> bool:
    return any("from" in table.entries for table in tables)
