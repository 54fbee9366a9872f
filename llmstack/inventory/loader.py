"""From a file to an Inventory, or to all of its mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from llmstack.domain.service import Inventory, ModelSpec, Placement, ServiceSpec
from llmstack.inventory.checks import check
from llmstack.inventory.compose import compose
from llmstack.inventory.entries import Draft, read_entries
from llmstack.inventory.files import find, read_dotenv, read_text
from llmstack.inventory.interpolate import Scope
from llmstack.inventory.nodes import Node, Problems, Spot, better_key, positions
from llmstack.inventory.tree import Machine, host_of, read_tree
from llmstack.inventory.values import TOP, read, spec_of

SCHEMA: Final = "1"
MAX_PLACEMENTS: Final = 10_000
KEYS: Final = ("llmstack", "stack", "compose_labels", "all", "defaults", "services", "models")


def load(path: str | None, *, environ: Mapping[str, str], cwd: str = ".") -> Inventory:
    """The inventory of `path`, of LLMSTACK_INVENTORY, or the nearest one from `cwd` upwards.

    `environ` fills `${env:NAME}` and secrets; `.env` beside the inventory adds what it does not set.
    Raises InventoryError with every mistake at once, NoInventoryError when there is none to be found, ConfigError when
    the file cannot be read.
    """
    file, shown = find(path, environ, cwd)
    text = read_text(file, shown)
    problems = Problems(text, shown)
    node = compose(text, shown, problems)
    if not isinstance(node.value, dict):
        problems.fail(node.at, "E010", "an inventory is a mapping (name: value)", f"start it with llmstack: {SCHEMA}")
    folder = str(file.parent)
    root = Spot(node, "", problems, folder, {**read_dotenv(folder, problems), **environ})
    inventory = replace(_Loader(root).inventory(), path=str(file), source=text)
    check(inventory, problems)
    problems.raise_any(inventory)
    return inventory


class _Loader:
    def __init__(self, root: Spot) -> None:
        self._root, self._problems = root, root.problems
        _check_keys(root)
        self._top = {"stack": "default", **read(TOP, root)}
        self._tree = read_tree(root.get("all"))
        machines = self._tree.machines.values()
        self._hosts = {machine.name: host_of(machine, self._scope(machine), root) for machine in machines}
        self._drafts = read_entries(root, self._tree)

    def inventory(self) -> Inventory:
        return Inventory(
            path=None,
            hosts=self._hosts,
            groups=self._tree.groups,
            placements=tuple(self._placements()),
            positions={path: at for draft in self._drafts for path, at in positions(draft.spot.node, draft.path)},
            **self._top,
        )

    def _scope(self, machine: Machine, **words: str) -> Scope:
        words = {"inventory_hostname": machine.name, "stack": self._top["stack"], **words}
        own = {name: Node(self._root.node.at, text, text) for name, text in words.items()}
        return Scope({**machine.vars, **own}, self._root.environ, self._problems)

    def _placements(self) -> Iterator[Placement]:
        pairs = [(draft, host) for draft in self._drafts for host in draft.hosts]
        if len(pairs) > MAX_PLACEMENTS:
            self._problems.fail(self._root.node.at, "E004", f"more than {MAX_PLACEMENTS} services on hosts")
        guests: dict[str, list[Draft]] = {}
        for draft in self._drafts:
            guests.setdefault(draft.service, []).extend([draft] if draft.path[0] == "models" else [])
        for draft, host in pairs:
            spot = self._resolved(draft, host)
            models = [(model, spot if model is draft else self._resolved(model, host)) for model in guests[draft.name]]
            yield Placement(
                service=spec_of(ServiceSpec, spot, name=draft.name, type=""),
                host=self._hosts[host],
                models=tuple(spec_of(ModelSpec, inner, name=model.name, service=draft.name) for model, inner in models),
                path=draft.path,
                own_model=draft.path[0] == "models",
            )

    def _resolved(self, draft: Draft, host: str) -> Spot:
        words = {"service": draft.service, **({"model": draft.name} if draft.path[0] == "models" else {})}
        node = self._scope(self._tree.machines[host], **words).resolve(draft.spot.node)
        return replace(draft.spot, node=node or draft.spot.node, local=self._hosts[host].docker_host is None)


def _check_keys(root: Spot) -> None:
    schema = root.get("llmstack")
    if schema.node.value is None:
        schema.add("E010", "the schema version is missing", f"start with llmstack: {SCHEMA}", key=False)
    elif schema.node.text != SCHEMA:
        message = f"llmstack should be {SCHEMA}, the schema that this version reads"
        schema.add("E010", message, f"write llmstack: {SCHEMA}, or update llmstack", key=False)
    for key, spot in root.entries().items():
        if key not in KEYS and not key.startswith("x-"):
            is_group = {"hosts", "children"} & spot.node.table.keys()
            fix = "move it below all.children" if is_group else better_key(key, KEYS)
            spot.add("E012", f"unknown key '{key}' in the inventory", fix)
