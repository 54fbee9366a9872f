"""YAML text to nodes: from parser events, so that depth, size and duplicates are ours to bound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

import yaml

from llmstack.domain.position import Position, source_lines
from llmstack.inventory.nodes import JINJA, PLAIN_NAME, SMALLER, Node, Problems, resolve_plain

MAX_DEPTH: Final = 64
MAX_VALUES: Final = 200_000

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ALIGN: Final = "begin it in the same column as the line above"
_ANCHOR: Final = "write &NAME before what it means, further up"
_MERGE: Final = "write <<: *NAME, of an anchor &NAME"
_ONE_DOCUMENT: Final = "remove the --- line, or give what follows a file of its own"
_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CALLED: Final = {0: "NUL", 7: "BEL", 8: "BS", 11: "VT", 12: "FF", 26: "SUB", 27: "ESC", 127: "DEL"}

REFER: Final = "write a secret as {from: env, name: NAME}"


def compose(text: str, file: str, problems: Problems) -> Node:
    """The one document of `text`. Raises InventoryError when it cannot be read at all."""
    if found := _UNPRINTABLE.search(text):
        lines, code = source_lines(text[: found.start()]), ord(found[0])
        named = f"U+{code:04X} ({_CALLED.get(code, 'unprintable')})"
        fix = f'remove it, or write "\\u{code:04x}" in double quotes' if code else "remove it"
        problems.fail(Position(file, len(lines), len(lines[-1]) + 1), "E001", f"the character {named} is no text", fix)
    composer = _Composer(text, file, problems)
    try:
        return composer.document() or Node(Position(file, 1, 1), None, "")
    except yaml.MarkedYAMLError as error:
        at, message, suggestion = _plain_words(error, file, text)
        problems.fail(at, "E001", message, suggestion)


class _Composer:
    def __init__(self, text: str, file: str, problems: Problems) -> None:
        self._file, self._problems = file, problems
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._deepest = 0

    def document(self) -> Node | None:
        node: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if node is not None:
                    self._fail(event, "E001", "a second document starts here; an inventory is one", _ONE_DOCUMENT)
                node = self._node(next(self._events), 0)
        return node

    def _at(self, event: Any, end: Any = None) -> Position:
        start, end = event.start_mark, (end or event).end_mark
        same_line = end.line == start.line and end.column > start.column
        return Position(self._file, start.line + 1, start.column + 1, end.column + 1 if same_line else None)

    def _fail(self, event: Any, code: str, message: str, suggestion: str = SMALLER) -> NoReturn:
        self._problems.fail(self._at(event), code, message, suggestion)

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        self._reach(event, depth)
        before, self._deepest = self._deepest, depth
        node = self._scalar(event) if isinstance(event, yaml.ScalarEvent) else self._collection(event, depth)
        if event.tag:
            fix = REFER if "vault" in event.tag else "remove it, or put text in quotes"
            self._problems.add(node.at, "E002", f"a tag ({event.tag}) has no meaning here", fix)
        if event.anchor:
            self._anchors[event.anchor] = node, self._deepest - depth
        self._deepest = max(before, self._deepest)
        return node

    def _alias(self, event: Any, depth: int) -> Node:
        if event.anchor not in self._anchors:
            self._fail(event, "E004", f"alias '*{event.anchor}' has no finished anchor before it", _ANCHOR)
        node, height = self._anchors[event.anchor]
        self._reach(event, depth + height)
        return node

    def _reach(self, event: Any, depth: int) -> None:
        """Levels are counted with aliases expanded."""
        self._deepest = max(self._deepest, depth)
        if depth > MAX_DEPTH:
            self._fail(event, "E004", f"nested more than {MAX_DEPTH} levels deep")

    def _scalar(self, event: Any) -> Node:
        at, text = self._at(event), event.value
        if "\0" in text:
            self._problems.add(at, "E013", "holds a character that no program can be given", "leave it out")
        return Node(at, text if event.style else resolve_plain(text), text)

    def _collection(self, event: Any, depth: int) -> Node:
        inner: list[Node] = []
        while not isinstance(end := next(self._events), yaml.CollectionEndEvent):
            inner.append(self._node(end, depth + 1))
        is_list = isinstance(event, yaml.SequenceStartEvent)
        if not is_list and any(isinstance(key.value, dict) for key in inner[::2]):
            self._problems.add(self._at(event, end), "E005", JINJA, PLAIN_NAME)  # {{ x }} is a mapping in a mapping
            return Node(self._at(event, end), {})
        size = 1 + sum(node.size for node in (inner if is_list else inner[1::2]))
        if size > MAX_VALUES:
            self._fail(event, "E004", f"holds more than {MAX_VALUES} values once aliases are expanded")
        return Node(self._at(event, end), inner if is_list else self._table(inner), size=size)

    def _table(self, inner: list[Node]) -> dict[str, Node]:
        entries: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        for key, value in zip(inner[::2], inner[1::2], strict=True):
            if key.text is None:
                self._problems.add(key.at, "E013", "a key should be text", "put it in quotes")
            elif key.text == "<<":
                merged |= self._merged(value)
            elif (first := entries.get(key.text)) and first.key_at:
                message = f"duplicate key '{key.text}' (first defined at line {first.key_at.line})"
                self._problems.add(key.at, "E003", message, "remove one of them")
            else:
                entries[key.text] = Node(value.at, value.value, value.text, key.at, value.size)
        return merged | entries

    def _merged(self, value: Node) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for source in reversed(value.items or [value]):
            if not isinstance(source.value, dict):
                self._problems.add(source.at, "E013", "'<<' should name a mapping, or a list of mappings", _MERGE)
            found |= source.table
        return found


def _plain_words(error: yaml.MarkedYAMLError, file: str, text: str) -> tuple[Position, str, str]:
    problem = error.problem or ""
    mark: Any = error.context_mark if "expected ':'" in problem else error.problem_mark
    lines = source_lines(text)[: mark.line + 1]
    while len(lines) > 1 and not lines[-1]:
        lines.pop()  # the end of the text is the end of its last line
    at = Position(file, len(lines), (mark.column if len(lines) > mark.line else len(lines[-1])) + 1)
    if lines[-1][at.column - 1 : at.column] == "\t":
        return at, "a tab cannot indent here", "use spaces"
    return at, f"not YAML: {problem}", _advice(problem, lines, at.column, error.context_mark)


def _advice(problem: str, lines: list[str], column: int, begun: Any) -> str:
    """What to do about a problem at a column of the last line; `begun` marks what the parser was in."""
    before, letter = lines[-1][: column - 1], lines[-1][column - 1 : column]
    for word, fix in (("expected ':'", "write NAME: value"), ("document start", "remove what follows the end")):
        if word in problem:
            return fix
    if begun and "end of stream" in problem:
        return f"close the quote that opens in line {begun.line + 1}"
    if begun and (closing := re.search(r"',' or '([]}])'", problem)):
        ranged = letter == "[" and re.search(r"\w$", before)
        fix = f"write a comma, or close line {begun.line + 1} with '{closing[1]}'"
        return "put a name with [ ] in quotes" if ranged else fix
    if begun and letter and not before.strip():
        mixed = begun.column == column - 1
        return "names and list items ('- ') do not mix" if mixed else f"{_ALIGN}, or as line {begun.line + 1}"
    if "mapping values" in problem and ":" not in before:
        deeper = _indent(before) > _indent("".join(lines[-2:-1]))
        return _ALIGN if deeper else "write a blank after the ':' above"
    unquoted = re.match(r"[%@`*&!:}\]]", letter) or re.search(r": *[\"']", before)
    return "put the value in quotes" if unquoted else "correct it, or put it in quotes if it is text"


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
