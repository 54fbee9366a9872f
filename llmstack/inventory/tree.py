"""Ansible's tree of groups: hosts, groups, and the variables that each host ends up with."""

from __future__ import annotations

import graphlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from llmstack.domain.host import Group
from llmstack.domain.position import Position
from llmstack.inventory.nodes import Node, Spot, resolve_plain
from llmstack.inventory.patterns import MAX_HOSTS, expand
from llmstack.inventory.values import One

MAX_GROUPS = 1_000
MAX_MEMBERS = 500_000
"""Hosts in groups, and variables of hosts, each counted as often as it occurs."""

SECTIONS: Final = ("hosts", "children", "vars")
OVERRIDES: Final = "overrides"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")
_PRIORITY = One("a whole number", "10", "-?[0-9]{1,9}", int)
_WITH_PORT = re.compile(r"((?:[^:\[]|\[[^\]]*\])+):([0-9]{1,5})")

Table = Mapping[str, Node]
Files = Callable[[str, str], Iterable[Table]]
"""The variables in the files of `group_vars` or `host_vars` for a name."""


@dataclass
class _Group:
    """One group as it was written, wherever in the tree its parts stand."""

    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Position | None] = field(default_factory=dict)
    vars: dict[str, Node] = field(default_factory=dict)
    priority: int = 1
    depth: int = 0


@dataclass
class Machine:
    """A host's place, its own variables, its groups (without `all`), the variables that it ends up with, and the
    `overrides` among them, of which none replaces another."""

    name: str
    at: Position | None
    own: dict[str, Node] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    vars: dict[str, Node] = field(default_factory=dict)
    overrides: list[Node] = field(default_factory=list)

    def lay(self, table: Table) -> None:
        """Lay variables over those it has."""
        self.vars |= table
        if OVERRIDES in table:
            self.overrides.append(table[OVERRIDES])


@dataclass(frozen=True, slots=True)
class Tree:
    """Hosts in the order of the file, the hosts of each group, the groups as they were written, and one of each
    variable in files."""

    machines: Mapping[str, Machine]
    groups: Mapping[str, tuple[str, ...]]
    written: Mapping[str, Group]
    variables: Table


def is_group(spot: Spot) -> bool:
    """Whether a key at the top of the file is a group: Ansible lets groups stand beside `all`."""
    return bool(spot.node.table.keys() & set(SECTIONS)) and not spot.node.table.keys() & {"type", "source"}


def read_tree(tops: Mapping[str, Spot], root: Spot, files: Files, extra: Iterable[Table] = ()) -> Tree:
    """The tree of all groups at the top of the file; without any host there is one, `localhost`. `extra` are variables
    that win over all others."""
    reader = _Reader(root)
    for name, spot in tops.items():
        reader.group(name, spot)
    if not reader.hosts:
        nobody = Node(root.node.at, {}, key_at=root.node.at)
        reader.host("localhost", replace(root, node=nobody), reader.groups["all"])
    return reader.tree(files, tuple(extra))


class _Reader:
    def __init__(self, root: Spot) -> None:
        self._problems, self._top = root.problems, root.node.at
        self.groups = {"all": _Group(children={"ungrouped": None}), "ungrouped": _Group()}
        self.hosts: dict[str, Machine] = {}
        self._members = 0

    def group(self, name: str, spot: Spot) -> None:
        if name not in self.groups and not _NAME.fullmatch(name):
            spot.add("E014", f"'{name}' is no name for a group", "letters, digits, dots, _ and -")
        elif len(self.groups) >= MAX_GROUPS:
            spot.fail("E004", f"more than {MAX_GROUPS} groups")
        group = self.groups.setdefault(name, _Group())
        read = {"vars": self._variable, "hosts": self._hosts, "children": self._child}
        for section, inner in spot.entries(SECTIONS).items():
            for key, each in _table(inner).entries().items():
                if section in read:
                    read[section](group, key, each)

    def _variable(self, group: _Group, name: str, spot: Spot) -> None:
        if name == "ansible_group_priority":
            found = _PRIORITY(spot)
            group.priority = 1 if found is None else found
        else:
            group.vars[name] = spot.node

    def _child(self, group: _Group, name: str, spot: Spot) -> None:
        if name == "all":
            spot.add("E014", "'all' holds all groups; it is in none", "remove it here")
        else:
            group.children[name] = spot.node.key_at
            self.group(name, spot)

    def _hosts(self, group: _Group, key: str, spot: Spot) -> None:
        pattern, port = (found[1], found[2]) if (found := _WITH_PORT.fullmatch(key)) else (key, None)
        at = spot.node.key_at or spot.node.at
        own = {"ansible_port": Node(at, resolve_plain(port), port)} if port else {}
        if spot.node.text and spot.node.value is not None:
            spot.wrong("a mapping of its variables", f"{{ansible_host: {spot.node.text}}}")
        else:
            spot.entries()
        try:
            for name in expand(pattern):
                self.host(name, spot, group, own)
        except ValueError as error:
            spot.add("E020", str(error), "write the first and the last, as in gpu[01:12]")

    def host(self, name: str, spot: Spot, group: _Group, own: Table | None = None) -> None:
        """A host of a group; `own` are the variables of one that is new."""
        if not _NAME.fullmatch(name):
            fix = "letters, digits, dots, _ and -; its address goes into ansible_host"
            spot.add("E014", f"'{name}' is no name for a host", fix)
            return
        if name not in self.hosts:
            if len(self.hosts) >= MAX_HOSTS:
                spot.fail("E004", f"more than {MAX_HOSTS} hosts")
            self.hosts[name] = Machine(name, spot.node.key_at, {**(own or {})})
        self.hosts[name].own |= spot.node.table
        group.hosts[name] = None
        self._count(1 + len(spot.node.table), spot.node.key_at)

    def _count(self, more: int, at: Position | None) -> None:
        self._members += more
        if self._members > MAX_MEMBERS:
            self._problems.fail(at, "E004", f"hosts have more than {MAX_MEMBERS} groups and variables together")

    def tree(self, files: Files, extra: tuple[Table, ...]) -> Tree:
        named = {child for group in self.groups.values() for child in group.children}
        self.groups["all"].children |= dict.fromkeys(name for name in self.groups if name not in {"all", *named})
        self._place()
        members = {name: self._hosts_of(name) for name in self.groups}
        self._lay_groups(members, files)
        variables: dict[str, Node] = {}
        for name, machine in self.hosts.items():
            for table in (machine.own, *files("host_vars", name)):
                self._lay(machine, table)
            variables |= machine.vars
            for table in extra:
                self._lay(machine, table)
            if name in self.groups:
                self._problems.add(machine.at, "E014", f"'{name}' is both a host and a group", f"{name}-1")
        written = {name: Group(tuple(group.hosts), tuple(group.children)) for name, group in self.groups.items()}
        return Tree(self.hosts, members, written, variables)

    def _lay(self, machine: Machine, table: Table) -> None:
        self._count(len(table), machine.at)
        machine.lay(table)

    def _lay_groups(self, members: Mapping[str, tuple[str, ...]], files: Files) -> None:
        """What all groups say in the file, then what the files beside it say: so Ansible does it."""
        order = sorted(members, key=lambda name: (self.groups[name].depth, self.groups[name].priority, name))
        for name in order:
            for host in members[name]:
                self._lay(self.hosts[host], self.groups[name].vars)
                self.hosts[host].groups += [name] if name != "all" else []
        for name in order:
            for table in filter(None, files("group_vars", name)):
                for host in members[name]:
                    self._lay(self.hosts[host], table)

    def _place(self) -> None:
        """The depth of each group, and who is in none of them."""
        order = self._children_first()
        for name in reversed(order):
            for child in self.groups[name].children:
                self.groups[child].depth = max(self.groups[child].depth, self.groups[name].depth + 1)
        grouped = {host for name in order if name not in ("all", "ungrouped") for host in self.groups[name].hosts}
        ungrouped = (name for name in (*self.groups["ungrouped"].hosts, *self.hosts) if name not in grouped)
        self.groups["ungrouped"].hosts = dict.fromkeys(ungrouped)

    def _hosts_of(self, name: str) -> tuple[str, ...]:
        """The hosts of a group, then those of its children, of their children, and so on."""
        found: dict[str, None] = {}
        seen, level = {name}, [name]
        while level:
            for group in level:
                found |= self.groups[group].hosts
            children = dict.fromkeys(child for group in level for child in self.groups[group].children)
            level = [child for child in children if child not in seen]
            seen.update(level)
        self._count(len(found), self._top)
        return tuple(found)

    def _children_first(self) -> list[str]:
        try:
            return list(graphlib.TopologicalSorter({n: g.children for n, g in self.groups.items()}).static_order())
        except graphlib.CycleError as error:
            child, parent, *_ = error.args[1]
            message = f"groups contain each other: {' → '.join(error.args[1])}"
            self._problems.fail(self.groups[parent].children[child], "E020", message, "one of them must go")


def _table(spot: Spot) -> Spot:
    """One word in place of a mapping is its only key: `hosts: gpu01`."""
    if not isinstance(spot.node.value, str):
        return spot
    inner = Node(spot.node.at, None, key_at=spot.node.at)
    return replace(spot, node=replace(spot.node, value={spot.node.value: inner}, text=None))
