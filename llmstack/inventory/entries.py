"""`services:`, `models:` and `defaults:`: which entries there are, what each is, and where it is placed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final

from llmstack.domain.names import LOCK, NAME_PATTERN, RESERVED_NAMES, as_name, nearest
from llmstack.domain.position import KeyPath
from llmstack.inventory.nodes import Node, Spot, listed, merge
from llmstack.inventory.patterns import Chooser
from llmstack.inventory.tree import OVERRIDES, Machine, Tree
from llmstack.inventory.values import MODEL_KEYS, NAME_OF_TYPE, SERVICE_KEYS

MAX_PLACEMENTS: Final = 10_000
FIXED: Final = frozenset({"type", "hosts", "service"})
"""What is decided before a host is looked at."""

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

    @property
    def is_model(self) -> bool:
        """Whether it is written under `models:`."""
        return self.path[0] == "models"

    @property
    def shared(self) -> bool:
        """Whether it is a model in a service of another entry."""
        return self.service != self.name


def read_entries(root: Spot, tree: Tree) -> list[Draft]:
    """All entries of the inventory; every mistake that does not depend on a host is noted."""
    reader = _Reader(root, tree)
    found = [reader.service("services", name, spot) for name, spot in reader.services.items()]
    for name, spot in reader.models.items():
        alone = spot.get("service").node.value is None
        found.append(reader.service("models", name, spot) if alone else reader.shared(name, spot))
    reader.check_overrides({draft.name: draft for draft in found})
    return found


def overrides_of(draft: Draft, machine: Machine) -> list[Node]:
    """What the variables of a host override of an entry."""
    return [over for each in machine.overrides if (over := each.table.get(draft.name)) and over.table]


def overridden(draft: Draft, overrides: Iterable[Node]) -> Node:
    """What is written for an entry, with overrides laid over it."""
    own = draft.spot.node
    return replace(reduce(_lay, overrides, own), at=own.at, key_at=own.key_at)


def _lay(base: Node, over: Node) -> Node:
    """An entry over its defaults, or an override over an entry. What is used, not run (`url`), loses what has no
    meaning then."""
    if "url" in over.table and over.table["url"].value:
        base = replace(base, value={key: node for key, node in base.table.items() if key not in NOT_WITH_URL})
    return merge(base, over)


class _Reader:
    def __init__(self, root: Spot, tree: Tree) -> None:
        self._root = root
        self._tree, self._chooser = tree, Chooser(tree.groups, tuple(tree.machines))
        self._placed = 0
        self.services, self.models = self._entries("services"), self._entries("models")
        self._defaults = root.get("defaults").entries()
        entries = (*self.services.values(), *self.models.values())
        types = {"all", *(spot.get("type").node.text or "" for spot in entries)}
        for name, spot in self._defaults.items():
            spot.entries(SERVICE_KEYS - {"type"})
            near = nearest(name, types)
            if near and near != name:
                spot.add("E012", f"nothing has the type '{name}' that these defaults are for", near)

    def _entries(self, section: str) -> dict[str, Spot]:
        """Those of a section, without what was not indented far enough to be in one; that is noted once."""
        spots = self._root.get(section).entries()
        beside = [key for key in spots if key in SERVICE_KEYS | MODEL_KEYS and spots[key].node.text]
        if not beside:
            return spots
        spots[beside[0]].add("E012", f"'{beside[0]}' stands beside the names of {section}", "indent it below its name")
        return {key: spot for key, spot in spots.items() if spot.node.table}

    def service(self, section: str, name: str, spot: Spot) -> Draft:
        self._check_name(name, section, spot)
        spot.entries(SERVICE_KEYS if section == "services" else SERVICE_KEYS | MODEL_KEYS)
        kind = spot.get("type")
        unknown = spot.node.table.keys() - SERVICE_KEYS - MODEL_KEYS
        if kind.node.value is None and not (spot.node.text or spot.node.items or nearest("type", unknown)):
            fix = "type: NAME" if section == "services" else "type: NAME, or service: NAME"
            spot.add("E011", f"{spot.where} has no type", fix)
        elif kind.node.value is not None and NAME_OF_TYPE(kind) is None:
            spot = replace(spot, node=replace(spot.node, value={**spot.node.table, "type": Node(kind.node.at)}))
        merged = replace(spot, node=self._over_defaults(kind.node.text or "", spot))
        return Draft(name, (section, name), merged, name, self._hosts(merged.get("hosts")))

    def _over_defaults(self, kind: str, spot: Spot) -> Node:
        merged = Node(spot.node.at, {})
        for name in dict.fromkeys(("all", kind)):
            if name in self._defaults and self._defaults[name].node.table:
                merged = merge(merged, self._defaults[name].node)
        self._check_url(spot)
        return _lay(merged, spot.node)

    def _check_url(self, spot: Spot) -> None:
        for key in NOT_WITH_URL & spot.node.table.keys() if spot.get("url").node.value else ():
            message = f"{spot.where} is used, not run (url); '{key}' has no meaning there"
            spot.get(key).add("E013", message, "remove it")

    def _hosts(self, spot: Spot) -> tuple[str, ...]:
        """The hosts that are picked; after a mistake the first one, so that the rest of the entry is checked too."""
        everyone = tuple(self._tree.machines)
        if spot.node.value is None:
            found = ("localhost",) if "localhost" in self._tree.machines else everyone
        else:
            found = self._chooser.select(spot) or everyone[:1]
        self._placed += len(found)
        if self._placed > MAX_PLACEMENTS:
            spot.fail("E004", f"more than {MAX_PLACEMENTS} services on hosts")
        return found

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
        self._check_keys_of_service(spot, named)
        merged = merge(Node(spot.node.at, {}), spot.node)
        return Draft(name, ("models", name), replace(spot, node=merged), named)

    def _check_keys_of_service(self, spot: Spot, service: str) -> None:
        known = self.services.get(service)
        line = f" (line {known.node.key_at.line})" if known and known.node.key_at else ""
        for key in spot.node.table.keys() & (SERVICE_KEYS - MODEL_KEYS - FIXED):
            message = f"'{key}' is a key of the service, not of a model in it"
            spot.get(key).add("E015", message, f"write it in services.{service}{line}")

    def check_overrides(self, drafts: Mapping[str, Draft]) -> None:
        """Overrides name what there is, and change nothing that is decided before a host is looked at."""
        written = {id(node): node for machine in self._tree.machines.values() for node in machine.overrides}
        for node in written.values():
            for name, spot in replace(self._root, node=node, where=OVERRIDES).entries().items():
                if name in drafts:
                    self._check_override(drafts[name], spot)
                else:
                    fix = nearest(name, drafts) or f"services and models: {listed(drafts)}"
                    spot.add("E053", f"no service or model '{name}' to override", fix)

    def _check_override(self, draft: Draft, spot: Spot) -> None:
        self._check_url(spot)
        for key, inner in spot.entries(SERVICE_KEYS | MODEL_KEYS if draft.is_model else SERVICE_KEYS).items():
            if key in FIXED:
                message = f"'{key}' is decided before a host is looked at; it cannot be overridden"
                inner.add("E014", message, f"write it in {'.'.join(map(str, draft.path))}")
        if draft.shared:
            self._check_keys_of_service(spot, draft.service)

    def _check_name(self, name: str, section: str, spot: Spot) -> None:
        if wrong := name_mistake(name, section[:-1], self._tree.groups, self._tree.machines):
            spot.add("E014", *wrong)
        if section == "models" and name in self.services:
            message = f"'{name}' is a service already; services and models share one set of names"
            spot.add("E014", message, f"{name}-model")


def name_mistake(name: str, what: str, groups: Collection[str], hosts: Collection[str]) -> tuple[str, str] | None:
    """What is wrong with a name that cannot be one, or that means something else already; and the fix."""
    if not NAME_PATTERN.fullmatch(name):
        return f"'{name}' is no name for a {what}", as_name(name) or "a-z, 0-9, _ and -; at most 63"
    for taken, names in (("a task", RESERVED_NAMES), ("our lock", (LOCK,)), ("a group", groups), ("a host", hosts)):
        if name in names:
            return f"'{name}' is {taken}; a {what} needs another name", f"{name}-{what}"
    return None
