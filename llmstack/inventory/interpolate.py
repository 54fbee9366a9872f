"""`${name}`, `${name:-default}` and `${env:NAME}`; `$${` is a literal `${`. No expressions."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace

from llmstack.domain.names import nearest
from llmstack.domain.position import Position, Via
from llmstack.inventory.nodes import JINJA, PLAIN_NAME, Node, Problems, within

MAX_TEXT, MAX_FILLED = 65_536, 2_000_000
MAX_CHAIN = 20

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(env):)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{|\{\{")
_GRAMMAR = "${name}, ${name:-default} or ${env:NAME}; $${ for a literal one"


class Shared:
    """What all scopes of one reading share: the environment, where `.env` sets a part of it, the variables that were
    asked for, and how much may still be filled in."""

    def __init__(self, environ: Mapping[str, str], dotenv: Mapping[str, Position], problems: Problems) -> None:
        self.environ, self.dotenv, self.problems = environ, dotenv, problems
        self.used: set[str] = set()
        self._left = MAX_FILLED

    def spend(self, size: int, at: Position) -> None:
        """Count values. Raises InventoryError beyond what any inventory needs."""
        self._left -= size
        if self._left < 0:
            self.problems.fail(at, "E004", f"more than {MAX_FILLED} values once they are filled in for every host")


class Scope:
    """What names mean for one entry on one host: `words` of llmstack, else its variables."""

    def __init__(self, words: dict[str, Node], variables: dict[str, Node], shared: Shared) -> None:
        self._words, self._vars = words, ChainMap(words, variables)
        self._shared, self._problems = shared, shared.problems
        self._known: dict[str, Node | None] = {}
        self._open: list[str] = []

    def resolve(self, node: Node) -> Node | None:
        """`node` with all references filled in; what could not be is noted and left out (None)."""
        self._shared.spend(1, node.at)
        if isinstance(node.value, dict):
            pairs = ((key, self.resolve(inner)) for key, inner in node.value.items())
            return Node(node.at, {key: inner for key, inner in pairs if inner}, None, node.key_at)
        if isinstance(node.value, list):
            return Node(node.at, [inner for inner in map(self.resolve, node.value) if inner], None, node.key_at)
        return self._scalar(node)

    def variable(self, name: str) -> Node | None:
        """A host variable's value, filled in; None when it is not set, or wrong (and noted)."""
        self._shared.used.add(name)
        if self._is_set(name) and name not in self._known:
            self._known[name] = self._variable(name, self._vars[name])
        return self._known.get(name)

    def _is_set(self, name: str) -> bool:
        return name in self._vars and self._vars[name].value is not None

    def _variable(self, name: str, node: Node) -> Node | None:
        if node.text is None:
            message = f"variable '{name}' should be text or a number to be used like this"
        elif name in self._open or len(self._open) >= MAX_CHAIN:
            message = f"variables need each other without end: {' → '.join((*self._open[-5:], name))}"
        else:
            self._open.append(name)
            found = self._scalar(node)
            self._open.pop()
            return found
        self._problems.add(node.at, "E040", message, "write one value without ${...}")
        return None

    def _scalar(self, node: Node) -> Node | None:
        if not isinstance(node.value, str) or not ("${" in node.value or "{{" in node.value):
            return node
        whole = _REFERENCE.fullmatch(node.value)
        if whole and whole[1] is whole[3] is None and self._is_set(whole[2]):
            found = self.variable(whole[2])  # one reference and nothing else keeps the variable's type
            return found and replace(found, at=node.at, key_at=node.key_at, via=self._via(node.value))
        text = self._filled(node, node.value)
        return None if text is None else Node(node.at, text, text, node.key_at, via=self._via(node.value))

    def _via(self, text: str) -> tuple[Via, ...]:
        """Which variables filled a text, and which filled those."""
        found: dict[Via, None] = {}
        for match in _REFERENCE.finditer(text):
            node = self._known.get(match[2])
            if match[1] and match[2] in self._shared.environ:
                found[f"env:{match[2]}", self._shared.dotenv.get(match[2])] = None
            elif node and match[2] not in self._words:
                found |= dict.fromkeys(((match[2], node.at), *node.via))
        return tuple(found)

    def _filled(self, node: Node, text: str) -> str | None:
        parts, end, length = [], 0, len(text)
        for match in _REFERENCE.finditer(text):
            value = self._value(match, within(node, match.start(), len(match[0])))
            if value is None:
                return None
            length += len(value)
            self._shared.spend(len(value) // 32, node.at)
            if length > MAX_TEXT:
                message = f"grows beyond {MAX_TEXT} characters when variables are filled in"
                self._problems.add(node.at, "E040", message, "shorten its variables")
                return None
            parts += [text[end : match.start()], value]
            end = match.end()
        return "".join((*parts, text[end:]))

    def _value(self, match: re.Match[str], at: Position) -> str | None:
        env, name, default = match.groups()
        if match[0] == "$${":
            return "${"
        if match[0] == "{{":
            self._problems.add(at, "E005", JINJA, PLAIN_NAME)
            return None
        if name is None:
            self._problems.add(at, "E040", "cannot read what follows '${'", _GRAMMAR)
            return None
        found = None if env else self.variable(name)
        value = self._shared.environ.get(name) if env else found.text if found else None
        if default is not None:
            return value or default
        if value is None and env:
            fix = f"export {name}=..., write it in .env, or give a default: ${{env:{name}:-...}}"
            self._problems.add(at, "E040", f"environment variable '{name}' is not set", fix)
        elif value is None and not self._is_set(name):
            near = f"${{env:{name}}}" if name in self._shared.environ else nearest(name, self._vars)
            fix = near or f"give a default: ${{{name}:-...}}"
            self._problems.add(at, "E040", f"unknown variable '{name}'", fix)
        return value
