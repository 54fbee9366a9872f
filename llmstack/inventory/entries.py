"""`services:`, `models:` and `defaults:`: which entries there are, what each is, and where it is placed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmstack.domain.names import NAME_PATTERN, RESERVED_NAMES, nearest
from llmstack.domain.position import KeyPath, Position
from llmstack.inventory.nodes import Entry, Listing, Scalar, Table, merge
from llmstack.inventory.patterns import select
from llmstack.inventory.problems import Problems, within
from llmstack.inventory.shape import better_key, check_keys, table_of, text_of
from llmstack.inventory.specs import MODEL_KEYS, NOT_WITH_URL, SERVICE_KEYS
from llmstack.inventory.tree import Tree


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry with its defaults merged in, before it is resolved for each of its hosts."""

    name: str
    section: str
    at: Position
    table: Table
    hosts: tuple[str, ...] = ()
    service: str | None = None

    @property
    def path(self) -> KeyPath:
        """Where it is written."""
        return (self.section, self.name)

    @property
    def where(self) -> str:
        """Its path in words."""
        return f"{self.section}.{self.name}"


@dataclass
class Entries:
    """Services (models that bring their own among them) and models of shared services."""

    services: dict[str, Draft] = field(default_factory=dict)
    models: dict[str, Draft] = field(default_factory=dict)


def read_entries(root: Table, tree: Tree, problems: Problems) -> Entries:
    """All entries of the inventory; every mistake that does not depend on a host is noted."""
    return _Reader(root, tree, problems).read()


class _Reader:
    def __init__(self, root: Table, tree: Tree, problems: Problems) -> None:
        self._tree = tree
        self._problems = problems
        self._services = table_of(root.get("services"), "services", problems).entries
        self._models = table_of(root.get("models"), "models", problems).entries
        self._defaults = self._read_defaults(root)

    def read(self) -> Entries:
        found = Entries()
        self._check_names()
        for name, entry in self._services.items():
            table = table_of(entry.node, f"services.{name}", self._problems)
            found.services[name] = self._service("services", name, entry.key_at, table)
        for name, entry in self._models.items():
            table = table_of(entry.node, f"models.{name}", self._problems)
            if table.get("service"):
                found.models[name] = self._shared(name, entry.key_at, table)
            else:
                found.services[name] = self._service("models", name, entry.key_at, table)
        return found

    def _read_defaults(self, root: Table) -> Mapping[str, Table]:
        blocks = table_of(root.get("defaults"), "defaults", self._problems).entries
        tables = {name: table_of(entry.node, f"defaults.{name}", self._problems) for name, entry in blocks.items()}
        for name, table in tables.items():
            check_keys(table, SERVICE_KEYS - {"type"}, f"defaults.{name}", self._problems)
        types = {text for text in map(_type_of, (*self._services.values(), *self._models.values())) if text}
        for name in tables.keys() - types - {"all"}:
            if near := nearest(name, (*types, "all")):
                message = f"nothing has the type '{name}' that these defaults are for"
                self._problems.add(blocks[name].key_at, "E012", message, near)
        return tables

    def _check_names(self) -> None:
        for section, entries in (("services", self._services), ("models", self._models)):
            for name, entry in entries.items():
                check_name(name, entry.key_at, section[:-1], self._tree, self._problems)
        for name in self._services.keys() & self._models.keys():
            line = self._services[name].key_at.line
            message = f"'{name}' is a service already (line {line}); services and models share one set of names"
            self._problems.add(self._models[name].key_at, "E014", message)

    def _service(self, section: str, name: str, at: Position, table: Table) -> Draft:
        where = f"{section}.{name}"
        known = SERVICE_KEYS if section == "services" else SERVICE_KEYS | MODEL_KEYS
        check_keys(table, known, where, self._problems)
        kind = text_of(table.get("type"), f"{where}.type", self._problems)
        if kind and not NAME_PATTERN.fullmatch(kind.text):
            self._problems.add(kind.at, "E013", f"{where}.type should be the name of a type")
        if table.get("type") is None:
            fix = "type: NAME" if section == "services" else "type: NAME, or service: NAME"
            self._problems.add(at, "E011", f"{where} has no type", fix)
        merged = merge(self._defaults_for(kind.text if kind else "", table), table)
        for key in NOT_WITH_URL & table.entries.keys() if table.get("url") else ():
            message = f"{where} is used, not run (url); '{key}' has no meaning there"
            self._problems.add(table.entries[key].key_at, "E013", message, "remove it")
        return Draft(name, section, at, merged, self._hosts(merged, where))

    def _defaults_for(self, kind: str, table: Table) -> Table:
        merged = Table(table.at)
        for name in ("all", kind) if kind != "all" else ("all",):
            merged = merge(merged, self._defaults.get(name, Table(table.at)))
        dropped = NOT_WITH_URL if table.get("url") else frozenset()
        return Table(merged.at, {key: entry for key, entry in merged.entries.items() if key not in dropped})

    def _hosts(self, table: Table, where: str) -> tuple[str, ...]:
        """The hosts that are picked; after a mistake the first one, so that the rest of the entry is checked too."""
        node = table.get("hosts")
        everyone = tuple(self._tree.machines)
        if node is None:
            return ("localhost",) if "localhost" in self._tree.machines else everyone
        items = node.items if isinstance(node, Listing) else (node,)
        parts = [part for part in (text_of(item, f"{where}.hosts", self._problems) for item in items) if part]
        hosts, mistakes = select([part.text for part in parts], self._tree.groups, everyone)
        for mistake in mistakes:
            part = parts[mistake.part]
            place = within(part.at, part.text, mistake.start, mistake.length)
            self._problems.add(place, mistake.code, mistake.message, mistake.suggestion)
        if not mistakes and (not hosts or not parts):
            pattern = ",".join(part.text for part in parts)
            message = f"pattern '{pattern}' selects no host"
            self._problems.add(node.at, "E022", message, "for a durable off write enabled: false")
        return hosts or everyone[:1]

    def _shared(self, name: str, at: Position, table: Table) -> Draft:
        where = f"models.{name}"
        node = text_of(table.get("service"), f"{where}.service", self._problems)
        service = node.text if node else ""
        known = self._services.get(service)
        for key, entry in table.entries.items():
            if key in SERVICE_KEYS - MODEL_KEYS:
                place = f"services.{service}" + (f" (line {known.key_at.line})" if known else "")
                message = f"'{key}' is a key of the service, not of a model in it"
                self._problems.add(entry.key_at, "E015", message, f"write it in {place}")
            elif key not in MODEL_KEYS:
                message = f"unknown key '{key}' in {where}"
                self._problems.add(entry.key_at, "E012", message, better_key(key, MODEL_KEYS))
        if known is None:
            self._unknown_service(service, node.at if node else at)
        return Draft(name, "models", at, merge(Table(table.at), table), service=service)

    def _unknown_service(self, service: str, at: Position) -> None:
        message = f"unknown service '{service}'"
        if service in self._models:
            message = f"'{service}' is a model with a service of its own; it cannot hold others"
        near = nearest(service, self._services)
        self._problems.add(at, "E053", message, near or "define it under services:")


def _type_of(entry: Entry) -> str | None:
    node = entry.node.get("type") if isinstance(entry.node, Table) else None
    return node.text if isinstance(node, Scalar) else None


def check_name(name: str, at: Position | None, what: str, tree: Tree, problems: Problems) -> None:
    """Note a name that cannot be one, or that means something else already."""
    if not NAME_PATTERN.fullmatch(name):
        problems.add(at, "E014", f"'{name}' is no name for a {what}", "a-z, 0-9, _ and -; at most 63")
        return
    taken = "a task" if name in RESERVED_NAMES else "a group" if name in tree.groups else None
    taken = taken or ("a host" if name in tree.machines else None)
    if taken:
        problems.add(at, "E014", f"'{name}' is {taken}; a {what} needs another name", f"{name}-{what}")
