"""YAML text to a tree of nodes: from parser events, so that depth, size and duplicates are ours to bound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NoReturn

import yaml

from llmstack.domain.position import Position, source_lines
from llmstack.inventory.nodes import Entry, Listing, Node, Scalar, Table, resolve_plain
from llmstack.inventory.problems import Problems

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 200_000

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TEXT_TAGS: Final = frozenset({"!", "tag:yaml.org,2002:str"})
_CORE_TAGS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "seq", "map"))
_NO_VAULT: Final = "no Ansible Vault here; write a secret as {from: env, name: NAME}"


def compose(text: str, file: str, problems: Problems) -> Node | None:
    """The one document of `text`; None when it is empty. Raises InventoryError when it cannot be read at all."""
    composer = _Composer(text, file, problems)
    try:
        return composer.document()
    except yaml.YAMLError as error:
        composer.give_up(*_plain_words(error, text))


class _Composer:
    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, Node] = {}

    def document(self) -> Node | None:
        node: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if node is not None:
                    self.give_up(event.start_mark, "a second document starts here; an inventory is one document")
                node = self._node(next(self._events), 0)
        return node

    def give_up(self, mark: Any, message: str, suggestion: str | None = None, code: str = "E001") -> NoReturn:
        at = Position(self._file, mark.line + 1, mark.column + 1) if mark else Position(self._file, 1, 1)
        self._problems.add(at, code, message, suggestion)
        raise self._problems.error()

    def _node(self, event: Any, depth: int) -> Node:
        if depth > MAX_DEPTH:
            self.give_up(event.start_mark, f"nested more than {MAX_DEPTH} levels deep", code="E004")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        self._check_tag(event)
        node = self._content(event, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _content(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._listing(event, depth)
        return self._table(event, depth)

    def _at(self, event: Any, end: Any = None) -> Position:
        start, end = event.start_mark, end or event.end_mark
        same_line = end.line == start.line and end.column > start.column
        return Position(self._file, start.line + 1, start.column + 1, end.column + 1 if same_line else None)

    def _alias(self, event: Any) -> Node:
        at = self._at(event)
        if event.anchor not in self._anchors:
            self._problems.add(at, "E004", f"alias '*{event.anchor}' has no finished anchor before it")
            return Scalar(at, None, "")
        return self._anchors[event.anchor]

    def _check_tag(self, event: Any) -> None:
        tag = event.tag
        if tag is None or tag in _TEXT_TAGS or tag in _CORE_TAGS:
            return
        hint = _NO_VAULT if tag.startswith("!vault") else "remove it; values are plain data"
        self._problems.add(self._at(event), "E002", f"unknown tag '{tag}'", hint)

    def _scalar(self, event: Any) -> Scalar:
        at, text = self._at(event), event.value
        if "\0" in text or not _encodable(text):
            self._problems.add(at, "E013", "holds a character that no program can be given")
        as_text = event.style or event.tag in _TEXT_TAGS
        return Scalar(at, text if as_text else resolve_plain(text), text)

    def _listing(self, event: Any, depth: int) -> Listing:
        items = []
        while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(inner, depth + 1))
        size = self._bounded(event, 1 + sum(item.size for item in items))
        return Listing(self._at(event, inner.end_mark), tuple(items), size)

    def _table(self, event: Any, depth: int) -> Table:
        entries: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        while not isinstance(inner := next(self._events), yaml.MappingEndEvent):
            key = self._node(inner, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, Scalar):
                self._problems.add(key.at, "E013", "a key should be text", "put it in quotes")
            elif key.text == "<<" and key.at.end_column == key.at.column + 2:
                merged = {**self._merged(value), **merged}
            elif key.text in entries:
                line = entries[key.text].key_at.line
                self._problems.add(key.at, "E003", f"duplicate key '{key.text}' (first defined at line {line})")
            else:
                entries[key.text] = Entry(key.at, value)
        entries = {**merged, **entries}
        size = self._bounded(event, 1 + sum(entry.node.size for entry in entries.values()))
        return Table(self._at(event, inner.end_mark), entries, size)

    def _merged(self, value: Node) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for source in value.items if isinstance(value, Listing) else (value,):
            if isinstance(source, Table):
                found = {**source.entries, **found}
            else:
                self._problems.add(source.at, "E013", "'<<' should name a mapping, or a list of mappings")
        return found

    def _bounded(self, event: Any, size: int) -> int:
        if size > MAX_VALUES:
            self.give_up(
                event.start_mark, f"holds more than {MAX_VALUES} values once aliases are expanded", code="E004"
            )
        return size


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain_words(error: yaml.YAMLError, text: str) -> tuple[Any, str, str | None]:
    if not isinstance(error, yaml.MarkedYAMLError):
        return None, f"cannot be read as YAML: {str(error).splitlines()[0]}", None
    problem = error.problem or error.context or "cannot be read"
    mark = error.context_mark if "expected ':'" in problem and error.context_mark else error.problem_mark
    lines = source_lines(text)
    line = lines[mark.line] if mark and mark.line < len(lines) else ""
    if mark and line[mark.column : mark.column + 1] == "\t":
        return mark, "a tab cannot indent here", "use spaces"
    if mark and line[mark.column : mark.column + 1] in ("%", "@", "`", "*", "&", "!"):
        return mark, f"not YAML: {problem}", "put the value in quotes"
    return mark, f"not YAML: {problem}", None
