"""Small checks on the shape of nodes."""

from __future__ import annotations

from collections.abc import Iterable

from llmstack.domain.names import nearest
from llmstack.domain.position import Position
from llmstack.inventory.nodes import Node, Scalar, Table, is_null
from llmstack.inventory.problems import Problems

_NOWHERE = Position("", 1, 1)


def table_of(node: Node | None, what: str, problems: Problems) -> Table:
    """`node` as a mapping; nothing written is an empty one, anything else is noted."""
    if node is None or is_null(node):
        return Table(node.at if node else _NOWHERE)
    if isinstance(node, Table):
        return node
    problems.add(node.at, "E013", f"{what} should be a mapping (name: value)")
    return Table(node.at)


def text_of(node: Node | None, what: str, problems: Problems) -> Scalar | None:
    """`node` as text; None when it is not there, or wrong and noted."""
    if node is None or isinstance(node, Scalar):
        return node
    problems.add(node.at, "E013", f"{what} should be text")
    return None


def check_keys(table: Table, known: Iterable[str], where: str, problems: Problems) -> None:
    """Note each key that is not known."""
    known = sorted(known)
    for key, entry in table.entries.items():
        if key not in known:
            problems.add(entry.key_at, "E012", f"unknown key '{key}' in {where}", better_key(key, known))


def better_key(key: str, known: Iterable[str]) -> str | None:
    """What an unknown key was meant to be: a near one, or what other tools' word is called here."""
    known = tuple(known)
    foreign = _FOREIGN.get(key.lower())
    return foreign if foreign and foreign.split(".")[0] in known else nearest(key, known)


_FOREIGN = {
    "volumes": "mounts",
    "ports": "port",
    "environment": "env",
    "command": "args",
    "gpus": "resources.gpus",
    "memory": "resources.memory",
    "model": "source",
    "plugin": "type",
    "host": "hosts",
}
