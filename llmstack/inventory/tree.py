"""Ansible's `all` tree: hosts, groups and the variables each host ends up with."""

from __future__ import annotations

import graphlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from llmstack.domain.position import Position
from llmstack.inventory.nodes import Entry, Node, Scalar, Table
from llmstack.inventory.problems import Problems
from llmstack.inventory.ranges import MAX_HOSTS, expand
from llmstack.inventory.shape import check_keys, table_of

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_IMPLICIT = ("all", "ungrouped")
MAX_GROUPS = 1_000


@dataclass
class Group:
    """One group as it was written, wherever in the tree its parts stand."""

    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Position] = field(default_factory=dict)
    vars: dict[str, Entry] = field(default_factory=dict)
    depth: int = 0

    @property
    def priority(self) -> int:
        """`ansible_group_priority`: who wins among groups of the same depth."""
        entry = self.vars.get("ansible_group_priority")
        value = entry.node.value if entry and isinstance(entry.node, Scalar) else 1
        return value if isinstance(value, int) else 1


@dataclass(frozen=True, slots=True)
class Machine:
    """A host's place, its groups (without `all`), and its variables with group variables merged in."""

    name: str
    at: Position
    groups: tuple[str, ...]
    vars: Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Tree:
    """Hosts in the order of the file, and the hosts of each group."""

    machines: Mapping[str, Machine]
    groups: Mapping[str, tuple[str, ...]]


def read_tree(node: Node | None, at: Position, problems: Problems) -> Tree:
    """The tree under `all`; without any host there is one, `localhost`."""
    reader = _Reader(problems)
    reader.group("all", node)
    if not reader.hosts:
        reader.add_host("localhost", at, Table(at), reader.groups["all"])
    return reader.tree()


class _Reader:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self.groups: dict[str, Group] = {name: Group() for name in _IMPLICIT}
        self.hosts: dict[str, tuple[Position, dict[str, Entry]]] = {}

    def group(self, name: str, node: Node | None) -> None:
        group = self.groups.setdefault(name, Group())
        table = table_of(node, f"group '{name}'", self._problems)
        check_keys(table, ("hosts", "children", "vars"), f"group '{name}'", self._problems)
        group.vars |= table_of(table.get("vars"), f"vars of group '{name}'", self._problems).entries
        hosts = table_of(table.get("hosts"), f"hosts of group '{name}'", self._problems)
        for pattern, (key_at, inner) in hosts.entries.items():
            self._hosts(pattern, key_at, inner, group)
        children = table_of(table.get("children"), f"children of group '{name}'", self._problems)
        for child, (key_at, inner) in children.entries.items():
            if child == "all" or not _NAME.fullmatch(child):
                self._problems.add(key_at, "E014", f"'{child}' is no name for a group", "letters, digits, _ and -")
                continue
            if len(self.groups) >= MAX_GROUPS:
                self._problems.add(key_at, "E004", f"more than {MAX_GROUPS} groups")
                return
            group.children[child] = key_at
            self.group(child, inner)

    def _hosts(self, pattern: str, key_at: Position, node: Node, group: Group) -> None:
        table = table_of(node, f"vars of host '{pattern}'", self._problems)
        try:
            names = expand(pattern)
        except ValueError as error:
            self._problems.add(key_at, "E020", str(error))
            return
        if len(self.hosts) + len(names) > MAX_HOSTS:
            self._problems.add(key_at, "E004", f"more than {MAX_HOSTS} hosts")
            return
        for name in names:
            if _NAME.fullmatch(name):
                self.add_host(name, key_at, table, group)
            else:
                fix = "letters, digits, dots, _ and -; its address goes into ansible_host"
                self._problems.add(key_at, "E014", f"'{name}' is no name for a host", fix)

    def add_host(self, name: str, at: Position, table: Table, group: Group) -> None:
        self.hosts.setdefault(name, (at, {}))[1].update(table.entries)
        group.hosts[name] = None

    def tree(self) -> Tree:
        order = self._order()
        members = self._members(order)
        belongs: dict[str, list[str]] = {host: [] for host in self.hosts}
        for name in sorted(order, key=lambda name: (self.groups[name].depth, self.groups[name].priority, name)):
            for host in members[name]:
                belongs[host].append(name)
        machines = {host: self._machine(host, belongs[host]) for host in self.hosts}
        for name in self.groups.keys() & self.hosts.keys():
            self._problems.add(self.hosts[name][0], "E014", f"'{name}' is both a host and a group")
        return Tree(machines, {name: members[name] for name in sorted(members)})

    def _order(self) -> list[str]:
        """Groups, parents before children, with their depths set."""
        parents: dict[str, set[str]] = {name: set() for name in self.groups}
        for name, group in self.groups.items():
            for child in group.children:
                parents[child].add(name)
        try:
            order = list(graphlib.TopologicalSorter(parents).static_order())
        except graphlib.CycleError as error:
            cycle: list[str] = error.args[1]
            at = self.groups[cycle[0]].children.get(cycle[1])
            self._problems.add(at, "E020", f"groups contain each other: {' → '.join(cycle)}")
            raise self._problems.error() from error
        for name in order:
            self.groups[name].depth = max(
                (self.groups[parent].depth + 1 for parent in parents[name]), default=int(name != "all")
            )
        return order

    def _members(self, order: list[str]) -> dict[str, tuple[str, ...]]:
        sets: dict[str, set[str]] = {}
        for name in reversed(order):
            group = self.groups[name]
            sets[name] = set(group.hosts).union(*(sets[child] for child in group.children))
        grouped: set[str] = set().union(*(sets[name] for name in order if name not in _IMPLICIT))
        sets["all"] = set(self.hosts)
        sets["ungrouped"] |= sets["all"] - grouped
        rank = {host: index for index, host in enumerate(self.hosts)}
        return {name: tuple(sorted(hosts, key=rank.__getitem__)) for name, hosts in sets.items()}

    def _machine(self, host: str, groups: list[str]) -> Machine:
        at, own = self.hosts[host]
        merged: dict[str, Entry] = {}
        for name in groups:
            merged |= self.groups[name].vars
        return Machine(host, at, tuple(name for name in groups if name != "all"), {**merged, **own})
