"""From a file to an Inventory, or to all of its mistakes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from llmstack.domain.names import nearest
from llmstack.domain.position import Positions
from llmstack.domain.service import Inventory, ModelSpec, Placement, ServiceSpec
from llmstack.inventory.checks import check
from llmstack.inventory.compose import compose
from llmstack.inventory.entries import Draft, overridden, overrides_of, read_entries
from llmstack.inventory.extra import read_extra
from llmstack.inventory.files import find, read_dotenv, read_text, refuse_foreign
from llmstack.inventory.hosts import host_of
from llmstack.inventory.interpolate import Scope, Shared
from llmstack.inventory.nodes import Node, Problems, Spot, better_key, listed, plain, positions
from llmstack.inventory.tree import OVERRIDES, SECTIONS, Machine, is_group, read_tree
from llmstack.inventory.values import HOST, MODEL_KEYS, PLUGINS, SERVICE_KEYS, TOP, read, spec_of
from llmstack.inventory.varfiles import VarFiles

SCHEMA: Final = "1"
PRICE: Final = 20
"""Values that an entry on a host costs at least."""
MOST_COMPARED, ALIKE = 1000, 0.88
KEYS: Final = ("llmstack", "stack", "compose_labels", "all", "defaults", "services", "models", "plugins")


def load(path: str | None, *, environ: Mapping[str, str], cwd: str = ".", extra: Sequence[str] = ()) -> Inventory:
    """The inventory of `path`, of LLMSTACK_INVENTORY, or the nearest one from `cwd` upwards.

    `environ` fills `${env:NAME}` and secrets; `.env` beside the inventory adds what it does not set. `extra` are values
    of the command line, which win over all others.
    Raises InventoryError with every mistake at once, NoInventoryError when there is none to be found, ConfigError when
    a file cannot be read, UsageError for an `extra` that is no value.
    """
    return Reading(path, environ=environ, cwd=cwd, extra=extra).load()


class Reading:
    """One reading of an inventory and of all that stands beside it. Raises what `load` raises."""

    def __init__(
        self, path: str | None, *, environ: Mapping[str, str], cwd: str = ".", extra: Sequence[str] = ()
    ) -> None:
        self._file, shown = find(path, environ, cwd)
        text = read_text(self._file, shown, "inventory")
        self.problems = problems = Problems(text, shown)
        refuse_foreign(text, shown, problems, f"ansible-inventory -i {shown} --list --yaml > inventory.yaml")
        node = compose(text, shown, problems)
        if not isinstance(node.value, dict):
            fix = f"start it with llmstack: {SCHEMA}"
            problems.fail(node.at, "E010", "an inventory is a mapping (name: value)", fix)
        folder = self._file.parent
        dotenv = read_dotenv(folder / ".env", os.path.join(os.path.dirname(shown), ".env"), problems)
        places = {name: inner.at for name, inner in dotenv.items() if name not in environ}
        known = {**{name: inner.text or "" for name, inner in dotenv.items()}, **environ}
        self._shared = Shared(known, places, problems)
        self._root = Spot(node, "", problems, str(folder), known)
        self._laid: dict[tuple[object, ...], Node] = {}
        self._places: dict[tuple[int, ...], Positions] = {}
        self._made: dict[int, Any] = {}
        self._files, self._extra = VarFiles(folder, shown, problems), read_extra(extra, cwd, problems)
        self._read()

    def _read(self) -> None:
        root = self._root
        groups = _checked_groups(root)
        self._top = {"stack": "default", **read(TOP, root)}
        self.tree = read_tree(groups, root, self._files.tables, self._extra)
        machines = self.tree.machines.values()
        self._hosts = {each.name: host_of(each, self._scope(each), root, self._plain) for each in machines}
        self.drafts = read_entries(root, self.tree)

    def _plain(self, node: Node) -> Any:
        """Made once of what many hosts share."""
        if id(node) not in self._made:
            self._made[id(node)] = plain(node)
        return self._made[id(node)]

    def load(self) -> Inventory:
        """What it says, where nothing is wrong with it."""
        inventory = self._inventory()
        check(inventory, self.problems)
        self._check_extra()
        self.problems.raise_any(inventory)
        return inventory

    def _check_extra(self) -> None:
        """Each variable of the command line is one that something reads."""
        known = {*HOST, *self.tree.variables, *self._shared.used}
        entries = [draft.name for draft in self.drafts]
        for name, node in ((name, node) for table in self._extra for name, node in table.items()):
            if name not in known and name != OVERRIDES and not name.startswith("ansible_"):
                if entry := nearest(name, entries):
                    fix = f"write {entry}.KEY=VALUE"
                elif entries and (key := nearest(name, SERVICE_KEYS | MODEL_KEYS)):
                    fix = f"write NAME.{key}, as in {entries[0]}.{key}"
                else:
                    fix = f"variables: {listed(known)}"
                message = f"nothing reads the variable '{name}'"
                self.problems.add(node.key_at, "E012", message, nearest(name, known) or fix)

    def _inventory(self) -> Inventory:
        listed = self._root.get("plugins")
        return Inventory(
            path=str(self._file),
            hosts=self._hosts,
            groups=self.tree.groups,
            tree=self.tree.written,
            placements=tuple(self._placements()),
            positions={
                **{("hosts", name): machine.at for name, machine in self.tree.machines.items() if machine.at},
                **{path: at for draft in self.drafts for path, at in positions(draft.spot.node, draft.path)},
            },
            sources=self.problems.sources,
            plugins=(listed.node.value is not None and PLUGINS(listed)) or (),
            warnings=tuple(self._warnings()),
            **self._top,
        )

    def _warnings(self) -> Iterator[str]:
        """What is read for nothing: files of names that nothing has, variables that are called almost like ours."""
        yield from self._files.unused(group_vars=self.tree.groups, host_vars=self.tree.machines)
        ours = {OVERRIDES, *HOST}
        for name in islice(self.tree.variables.keys() - ours - self._shared.used, MOST_COMPARED):
            if near := nearest(name, ours, ALIKE):
                at = self.tree.variables[name].key_at
                yield f"{at}: nothing reads the variable '{name}'; did you mean '{near}'?"

    def _scope(self, machine: Machine, **words: str) -> Scope:
        words = {"inventory_hostname": machine.name, "stack": self._top["stack"], **words}
        own = {name: Node(self._root.node.at, text, text) for name, text in words.items()}
        return Scope(own, machine.vars, self._shared)

    def _placements(self) -> Iterator[Placement]:
        guests: dict[str, list[Draft]] = {}
        for draft in self.drafts:
            guests.setdefault(draft.service, []).extend([draft] if draft.is_model else [])
        for draft in self.drafts:
            for host in draft.hosts:
                yield self._placement(draft, host, guests[draft.name])

    def _placement(self, draft: Draft, host: str, guests: Sequence[Draft]) -> Placement:
        spot = self.resolved(draft, host)
        models = [(model, spot if model is draft else self.resolved(model, host)) for model in guests]
        return Placement(
            service=spec_of(ServiceSpec, spot, name=draft.name, type=""),
            host=self._hosts[host],
            models=tuple(spec_of(ModelSpec, inner, name=model.name, service=draft.name) for model, inner in models),
            path=draft.path,
            own_model=draft.is_model,
            positions=self._own_positions((draft, *guests), host),
        )

    def _own_positions(self, drafts: Iterable[Draft], host: str) -> Positions:
        """Where the values stand that a host has of its own; hosts with the same overrides share them."""
        pairs = ((draft, self._written(draft, host)) for draft in drafts)
        own = [(draft, node) for draft, node in pairs if node is not draft.spot.node]
        key = tuple(id(node) for _, node in own)
        if key not in self._places:
            self._places[key] = {path: at for draft, node in own for path, at in positions(node, draft.path)}
        return self._places[key]

    def _written(self, draft: Draft, host: str) -> Node:
        """An entry with the overrides of a host."""
        mine = overrides_of(draft, self.tree.machines[host])
        key: tuple[object, ...] = (draft.name, *map(id, mine))
        if key not in self._laid:
            self._laid[key] = overridden(draft, mine) if mine else draft.spot.node
        return self._laid[key]

    def resolved(self, draft: Draft, host: str) -> Spot:
        """An entry as it is on one host, with all variables filled in."""
        words = {"service": draft.service, **({"model": draft.name} if draft.is_model else {})}
        self._shared.spend(PRICE, draft.spot.node.at)
        node = self._scope(self.tree.machines[host], **words).resolve(self._written(draft, host))
        return replace(draft.spot, node=node or draft.spot.node, local=self._hosts[host].docker_host is None)

    def variables(self, host: str) -> dict[str, Node]:
        """The variables of a host; those that llmstack reads are filled in."""
        machine = self.tree.machines[host]
        scope = self._scope(machine)
        return {name: (scope.variable(name) if name in HOST else None) or node for name, node in machine.vars.items()}


def _checked_groups(root: Spot) -> dict[str, Spot]:
    """The groups at the top of the file; other keys that are none of ours are noted."""
    schema = root.get("llmstack")
    if schema.node.value is None:
        schema.add("E010", "the schema version is missing", f"start with llmstack: {SCHEMA}", key=False)
    elif schema.node.text != SCHEMA:
        message = f"llmstack should be {SCHEMA}, the schema that this version reads"
        schema.add("E010", message, f"write llmstack: {SCHEMA}, or update llmstack", key=False)
    groups: dict[str, Spot] = {}
    for key, spot in root.entries().items():
        ignored = key in KEYS or key.startswith("x-")
        if key == "all" or (is_group(spot) and not ignored):
            groups[key] = spot
        elif not ignored:
            entry = {"type", "source"} & spot.node.table.keys()
            group = f"move it below all, or the name of a group: all: {{{key}: ...}}" if key in SECTIONS else ""
            fix = "move it below services or models" if entry else group or better_key(key, KEYS)
            spot.add("E012", f"unknown key '{key}' in the inventory", fix)
    return groups
