"""`services:`, `models:` and `defaults:`: which entries there are, what each is, and where it is placed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from llmstack.domain.names import NAME_PATTERN, RESERVED_NAMES, nearest
from llmstack.domain.position import KeyPath
from llmstack.inventory.nodes import Node, Spot, merge
from llmstack.inventory.patterns import select
from llmstack.inventory.tree import Tree
from llmstack.inventory.values import MODEL_KEYS, SERVICE_KEYS

NOT_WITH_URL: Final = frozenset({"image", "port", "engine", "mounts", "args", "resources", "restart", "bind"})


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry with its defaults merged in, before it is resolved for each of its `hosts`. A model in a shared
    `service` has none: it goes where that goes."""

    name: str
    path: KeyPath
    spot: Spot
    service: str
    hosts: tuple[str, ...] = ()


def read_entries(root: Spot, tree: Tree) -> list[Draft]:
    """All entries of the inventory; every mistake that does not depend on a host is noted."""
    reader = _Reader(root, tree)
    found = [reader.service("services", name, spot) for name, spot in reader.services.items()]
    for name, spot in reader.models.items():
        alone = spot.get("service").node.value is None
        found.append(reader.service("models", name, spot) if alone else reader.shared(name, spot))
    return found


class _Reader:
    def __init__(self, root: Spot, tree: Tree) -> None:
        self._tree = tree
        self.services, self.models = root.get("services").entries(), root.get("models").entries()
        self._defaults = root.get("defaults").entries()
        entries = (*self.services.values(), *self.models.values())
        types = {"all", *(spot.get("type").node.text or "" for spot in entries)}
        for name, spot in self._defaults.items():
            spot.entries(SERVICE_KEYS - {"type"})
            near = nearest(name, types)
            if near and near != name:
                spot.add("E012", f"nothing has the type '{name}' that these defaults are for", near)

    def service(self, section: str, name: str, spot: Spot) -> Draft:
        self._check_name(name, section, spot)
        spot.entries(SERVICE_KEYS if section == "services" else SERVICE_KEYS | MODEL_KEYS)
        kind = spot.get("type")
        if kind.node.value is None:
            fix = "type: NAME" if section == "services" else "type: NAME, or service: NAME"
            spot.add("E011", f"{spot.where} has no type", fix)
        elif not NAME_PATTERN.fullmatch(kind.node.text or ""):
            kind.wrong("the name of a type")
        merged = replace(spot, node=self._over_defaults(kind.node.text or "", spot))
        return Draft(name, (section, name), merged, name, self._hosts(merged.get("hosts")))

    def _over_defaults(self, kind: str, spot: Spot) -> Node:
        merged = Node(spot.node.at, {})
        for name in dict.fromkeys(("all", kind)):
            if name in self._defaults and self._defaults[name].node.table:
                merged = merge(merged, self._defaults[name].node)
        if not spot.get("url").node.value:
            return merge(merged, spot.node)
        for key in NOT_WITH_URL & spot.node.table.keys():
            message = f"{spot.where} is used, not run (url); '{key}' has no meaning there"
            spot.get(key).add("E013", message, "remove it")
        kept = {key: node for key, node in merged.table.items() if key not in NOT_WITH_URL}
        return merge(replace(merged, value=kept), spot.node)

    def _hosts(self, spot: Spot) -> tuple[str, ...]:
        """The hosts that are picked; after a mistake the first one, so that the rest of the entry is checked too."""
        everyone = tuple(self._tree.machines)
        if spot.node.value is None:
            return ("localhost",) if "localhost" in self._tree.machines else everyone
        return select(spot, self._tree.groups, everyone) or everyone[:1]

    def shared(self, name: str, spot: Spot) -> Draft:
        self._check_name(name, "models", spot)
        spot.entries(SERVICE_KEYS | MODEL_KEYS)
        service = spot.get("service")
        named = service.text() or ""
        known = self.services.get(named)
        if known is None and named:
            own = f"'{named}' is a model with a service of its own; it cannot hold others"
            fix = nearest(named, self.services) or "define it under services:"
            service.add("E053", own if named in self.models else f"unknown service '{named}'", fix, key=False)
        line = f" (line {known.node.key_at.line})" if known and known.node.key_at else ""
        for key in spot.node.table.keys() & (SERVICE_KEYS - MODEL_KEYS):
            message = f"'{key}' is a key of the service, not of a model in it"
            spot.get(key).add("E015", message, f"write it in services.{named}{line}")
        merged = merge(Node(spot.node.at, {}), spot.node)
        return Draft(name, ("models", name), replace(spot, node=merged), named)

    def _check_name(self, name: str, section: str, spot: Spot) -> None:
        if wrong := name_mistake(name, section[:-1], self._tree.groups, self._tree.machines):
            spot.add("E014", *wrong)
        if section == "models" and name in self.services:
            message = f"'{name}' is a service already; services and models share one set of names"
            spot.add("E014", message)


def name_mistake(name: str, what: str, groups: Collection[str], hosts: Collection[str]) -> tuple[str, str] | None:
    """What is wrong with a name that cannot be one, or that means something else already; and the fix."""
    if not NAME_PATTERN.fullmatch(name):
        return f"'{name}' is no name for a {what}", "a-z, 0-9, _ and -; at most 63"
    for taken, names in (("a task", RESERVED_NAMES), ("a group", groups), ("a host", hosts)):
        if name in names:
            return f"'{name}' is {taken}; a {what} needs another name", f"{name}-{what}"
    return None
