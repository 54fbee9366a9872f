"""Ansible's `all` tree: hosts, groups, the variables each host ends up with, and how it is reached."""

from __future__ import annotations

import graphlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llmstack.domain.host import Host
from llmstack.domain.position import Position
from llmstack.inventory.interpolate import Scope
from llmstack.inventory.nodes import Node, Problems, Spot, plain
from llmstack.inventory.patterns import MAX_HOSTS, expand
from llmstack.inventory.values import HOST, read

MAX_GROUPS = 1_000

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")


@dataclass
class Group:
    """One group as it was written, wherever in the tree its parts stand."""

    hosts: dict[str, None] = field(default_factory=dict)
    children: dict[str, Position | None] = field(default_factory=dict)
    vars: dict[str, Node] = field(default_factory=dict)
    depth: int = 0

    @property
    def priority(self) -> int:
        """`ansible_group_priority`: who wins among groups of the same depth."""
        node = self.vars.get("ansible_group_priority")
        return node.value if node and isinstance(node.value, int) else 1


@dataclass
class Machine:
    """A host's place, its own variables, its groups (without `all`), and the variables that it ends up with."""

    name: str
    at: Position | None
    own: dict[str, Node] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    vars: dict[str, Node] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tree:
    """Hosts in the order of the file, and the hosts of each group."""

    machines: Mapping[str, Machine]
    groups: Mapping[str, tuple[str, ...]]


def read_tree(spot: Spot) -> Tree:
    """The tree under `all`; without any host there is one, `localhost`."""
    reader = _Reader(spot.problems)
    reader.group("all", spot)
    if not reader.hosts:
        reader.add_hosts(["localhost"], spot, reader.groups["all"])
    return reader.tree()


class _Reader:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self.groups = {"all": Group(children={"ungrouped": None}), "ungrouped": Group()}
        self.hosts: dict[str, Machine] = {}

    def group(self, name: str, spot: Spot) -> None:
        group = self.groups.setdefault(name, Group())
        spot.entries(("hosts", "children", "vars"))
        group.vars |= {key: inner.node for key, inner in spot.get("vars").entries().items()}
        for pattern, inner in spot.get("hosts").entries().items():
            try:
                self.add_hosts(expand(pattern), inner, group)
            except ValueError as error:
                inner.add("E020", str(error))
        for child, inner in spot.get("children").entries().items():
            if child == "all" or not _NAME.fullmatch(child):
                inner.add("E014", f"'{child}' is no name for a group", "letters, digits, _ and -")
            elif len(self.groups) >= MAX_GROUPS:
                inner.add("E004", f"more than {MAX_GROUPS} groups")
                return
            else:
                group.children[child] = inner.node.key_at
                self.group(child, inner)

    def add_hosts(self, names: Iterable[str], spot: Spot, group: Group) -> None:
        spot.entries()
        for name in names:
            if not _NAME.fullmatch(name):
                fix = "letters, digits, dots, _ and -; its address goes into ansible_host"
                spot.add("E014", f"'{name}' is no name for a host", fix)
            elif name not in self.hosts and len(self.hosts) >= MAX_HOSTS:
                spot.add("E004", f"more than {MAX_HOSTS} hosts")
            else:
                self.hosts.setdefault(name, Machine(name, spot.node.key_at)).own |= spot.node.table
                group.hosts[name] = None

    def tree(self) -> Tree:
        members = self._members()
        for name in sorted(members, key=lambda name: (self.groups[name].depth, self.groups[name].priority, name)):
            for host in members[name]:
                self.hosts[host].vars |= self.groups[name].vars
                self.hosts[host].groups += [name] if name != "all" else []
        for name, machine in self.hosts.items():
            machine.vars |= machine.own
            if name in self.groups:
                self._problems.add(machine.at, "E014", f"'{name}' is both a host and a group")
        return Tree(self.hosts, {name: members[name] for name in sorted(members)})

    def _members(self) -> dict[str, tuple[str, ...]]:
        """The hosts of each group, its children's among them; depths are set on the way."""
        order = self._children_first()
        for name in reversed(order):
            for child in self.groups[name].children:
                self.groups[child].depth = max(self.groups[child].depth, self.groups[name].depth + 1)
        sets: dict[str, set[str]] = {}
        for name in order:
            sets[name] = set(self.groups[name].hosts).union(*(sets[child] for child in self.groups[name].children))
        grouped: set[str] = set().union(*(sets[name] for name in order if name not in ("all", "ungrouped")))
        sets["ungrouped"] |= sets["all"] - grouped
        rank = {host: index for index, host in enumerate(self.hosts)}
        return {name: tuple(sorted(hosts, key=rank.__getitem__)) for name, hosts in sets.items()}

    def _children_first(self) -> list[str]:
        try:
            return list(graphlib.TopologicalSorter({n: g.children for n, g in self.groups.items()}).static_order())
        except graphlib.CycleError as error:
            child, parent, *_ = error.args[1]
            message = f"groups contain each other: {' → '.join(error.args[1])}"
            self._problems.fail(self.groups[parent].children[child], "E020", message)


def host_of(machine: Machine, scope: Scope, spot: Spot) -> Host:
    """The host with the variables that llmstack reads filled in; the others stay as they were written."""
    used = {name: node for name in HOST.keys() & machine.vars.keys() if (node := scope.variable(name))}
    found = read(HOST, replace(spot, node=replace(spot.node, value=used), where=machine.name))
    variables = {name: plain(node) for name, node in machine.vars.items()} | found
    return Host(
        machine.name, variables, tuple(machine.groups), found.get("engine", "docker"), _address(machine.name, found)
    )


def _address(name: str, found: Mapping[str, Any]) -> str | None:
    """What `docker_host` says; None for this machine; else SSH with Ansible's words for it."""
    if "docker_host" in found or name == "localhost" or found.get("ansible_connection") == "local":
        return found.get("docker_host")
    address = found.get("ansible_host", name)
    user = f"{found['ansible_user']}@" if "ansible_user" in found else ""
    port = f":{found['ansible_port']}" if "ansible_port" in found else ""
    return f"ssh://{user}{f'[{address}]' if ':' in address else address}{port}"
