"""`${name}`, `${name:-default}` and `${env:NAME}`; `$${` is a literal `${`. No expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmstack.domain.names import nearest
from llmstack.domain.position import Position
from llmstack.inventory.nodes import Entry, Listing, Node, Scalar, Table, is_null
from llmstack.inventory.problems import Problems, within

MAX_TEXT = 65_536
MAX_CHAIN = 20

_REFERENCE = re.compile(r"\$\$\{|\$\{(?:(env):)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{|\{\{")
_WHOLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_GRAMMAR = "${name}, ${name:-default} or ${env:NAME}; $${ for a literal one"


class Scope:
    """What names mean for one entry on one host: the host's variables, and a few that llmstack sets."""

    def __init__(
        self, host_vars: Mapping[str, Entry], own: Mapping[str, str], environ: Mapping[str, str], problems: Problems
    ) -> None:
        self._vars = {name: entry.node for name, entry in host_vars.items() if not is_null(entry.node)}
        self._own = own
        self._environ = environ
        self._problems = problems
        self._known: dict[str, Scalar | None] = {}
        self._open: list[str] = []

    def resolve(self, node: Node) -> Node | None:
        """`node` with all references filled in; what could not be is noted and left out (None)."""
        if isinstance(node, Scalar):
            return self._scalar(node)
        if isinstance(node, Listing):
            items = (self.resolve(item) for item in node.items)
            return Listing(node.at, tuple(item for item in items if item is not None))
        pairs = ((key, entry.key_at, self.resolve(entry.node)) for key, entry in node.entries.items())
        return Table(node.at, {key: Entry(key_at, inner) for key, key_at, inner in pairs if inner is not None})

    def variable(self, name: str) -> Scalar | None:
        """A host variable's value, filled in; None when it is not set, or wrong (and noted)."""
        if name in self._vars and name not in self._known:
            self._known[name] = self._variable(name, self._vars[name])
        return self._known.get(name)

    def _variable(self, name: str, node: Node) -> Scalar | None:
        if not isinstance(node, Scalar):
            self._problems.add(node.at, "E040", f"variable '{name}' should be text or a number to be used like this")
            return None
        if name in self._open or len(self._open) >= MAX_CHAIN:
            chain = " → ".join((*self._open[-5:], name))
            self._problems.add(node.at, "E040", f"variables need each other without end: {chain}")
            return None
        self._open.append(name)
        try:
            return self._scalar(node)
        finally:
            self._open.pop()

    def _scalar(self, node: Scalar) -> Scalar | None:
        if not isinstance(node.value, str) or ("${" not in node.text and "{{" not in node.text):
            return node
        whole = _WHOLE.fullmatch(node.text)
        if whole and whole[1] in self._vars and whole[1] not in self._own:
            found = self.variable(whole[1])  # one reference and nothing else keeps the variable's type
            return found and Scalar(node.at, found.value, found.text)
        text = self._filled(node)
        return None if text is None else Scalar(node.at, text, text)

    def _filled(self, node: Scalar) -> str | None:
        parts: list[str] = []
        end = length = 0
        for match in _REFERENCE.finditer(node.text):
            value = self._reference(match, within(node.at, node.text, match.start(), len(match[0])))
            if value is None:
                return None
            length += len(value)
            if length > MAX_TEXT:
                self._problems.add(node.at, "E040", f"grows beyond {MAX_TEXT} characters when variables are filled in")
                return None
            parts += (node.text[end : match.start()], value)
            end = match.end()
        return "".join((*parts, node.text[end:]))

    def _reference(self, match: re.Match[str], at: Position) -> str | None:
        if match[0] == "$${":
            return "${"
        if match[0] == "{{":
            message = "'{{ }}' is Jinja, which an inventory here does not have"
            self._problems.add(at, "E005", message, "write ${name}; there are no expressions")
            return None
        if match[0] == "${":
            self._problems.add(at, "E040", "cannot read what follows '${'", _GRAMMAR)
            return None
        return self._value(at, *match.groups())

    def _value(self, at: Position, env: str | None, name: str, default: str | None) -> str | None:
        if env:
            value = self._environ.get(name)
        else:
            found = self.variable(name)
            value = self._own.get(name) or (found.text if found else None)
        if default is not None:
            return value or default
        if value is None and (env or name not in self._vars):
            self._unknown(at, env, name)
        return value

    def _unknown(self, at: Position, env: str | None, name: str) -> None:
        if env:
            fix = f"export {name}=..., write it in .env, or give a default: ${{env:{name}:-...}}"
            self._problems.add(at, "E040", f"environment variable '{name}' is not set", fix)
        else:
            near = nearest(name, (*self._vars, *self._own))
            self._problems.add(at, "E040", f"unknown variable '{name}'", near or f"give a default: ${{{name}:-...}}")
