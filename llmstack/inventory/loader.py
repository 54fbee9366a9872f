"""From a file to an Inventory, or to all of its mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from llmstack.domain.host import Host
from llmstack.domain.names import NAME_PATTERN
from llmstack.domain.position import KeyPath, Position
from llmstack.domain.service import Inventory, ModelSpec, Placement
from llmstack.inventory.checks import check_aliases, check_dependencies, check_ports, check_reach
from llmstack.inventory.compose import compose
from llmstack.inventory.entries import Draft, Entries, read_entries
from llmstack.inventory.files import Source, find, read, read_dotenv
from llmstack.inventory.hosts import host_of
from llmstack.inventory.interpolate import Scope
from llmstack.inventory.nodes import Table, positions
from llmstack.inventory.problems import Problems
from llmstack.inventory.shape import check_keys, text_of
from llmstack.inventory.specs import Place, model_spec, service_spec
from llmstack.inventory.tree import Tree, read_tree

SCHEMA: Final = 1
MAX_PLACEMENTS: Final = 10_000
KEYS: Final = ("llmstack", "stack", "compose_labels", "all", "defaults", "services", "models")


def load(path: str | None, *, environ: Mapping[str, str], cwd: str = ".") -> Inventory:
    """The inventory of `path`, of LLMSTACK_INVENTORY, or the nearest one from `cwd` upwards.

    `environ` fills `${env:NAME}` and secrets; `.env` beside the inventory adds what it does not set.
    Raises InventoryError with every mistake at once, NoInventoryError when there is none to be found, ConfigError when
    the file cannot be read.
    """
    source = read(*find(path, environ, cwd))
    problems = Problems(source.text)
    root = compose(source.text, source.shown, problems)
    if not isinstance(root, Table):
        what = "the inventory is empty" if root is None else "an inventory is a mapping (name: value)"
        problems.add(Position(source.shown, 1, 1), "E010", what, "start it with llmstack: 1")
        raise problems.error()
    variables = {**read_dotenv(source.folder, problems), **environ}
    return _Loader(source, root, variables, problems).inventory()


class _Loader:
    def __init__(self, source: Source, root: Table, environ: Mapping[str, str], problems: Problems) -> None:
        self._source = source
        self._root = root
        self._environ = environ
        self._problems = problems
        self._start = Position(source.shown, 1, 1)
        self._stack = ""
        self._hosts: dict[str, Host] = {}
        self._positions: dict[KeyPath, Position] = {}

    def inventory(self) -> Inventory:
        """Everything resolved. Raises InventoryError with all mistakes."""
        compose_labels = self._top()
        tree = read_tree(self._root.get("all"), self._start, self._problems)
        self._hosts = {
            machine.name: host_of(machine, self._scope(tree, machine.name), self._problems)
            for machine in tree.machines.values()
        }
        entries = read_entries(self._root, tree, self._problems)
        self._positions = self._places(entries)
        placements = tuple(self._placements(entries, tree))
        check_dependencies(entries, self._problems)
        check_ports(placements, self._positions, self._problems)
        check_reach(placements, self._positions, self._problems)
        check_aliases(placements, entries, tree, self._positions, self._problems)
        self._problems.raise_any()
        return Inventory(
            path=str(self._source.path),
            stack=self._stack,
            hosts=self._hosts,
            groups=tree.groups,
            placements=placements,
            positions=self._positions,
            source=self._source.text,
            compose_labels=compose_labels,
        )

    def _top(self) -> bool:
        """Check what stands at the top; whether Compose's labels are wanted."""
        shown = {key: entry for key, entry in self._root.entries.items() if not key.startswith("x-")}
        for key, entry in shown.items():
            if key not in KEYS and isinstance(entry.node, Table) and {"hosts", "children"} & entry.node.entries.keys():
                self._problems.add(
                    entry.key_at, "E012", f"group '{key}' stands at the top", "move it below all.children"
                )
                shown = {name: other for name, other in shown.items() if name != key}
        check_keys(Table(self._start, shown), KEYS, "the inventory", self._problems)
        self._check_schema()
        stack = text_of(self._root.get("stack"), "stack", self._problems)
        self._stack = stack.text if stack else "default"
        if stack and not NAME_PATTERN.fullmatch(stack.text):
            self._problems.add(stack.at, "E014", f"'{stack.text}' is no name for a stack", "a-z, 0-9, _ and -")
        labels = text_of(self._root.get("compose_labels"), "compose_labels", self._problems)
        if labels and not isinstance(labels.value, bool):
            self._problems.add(labels.at, "E013", "compose_labels should be true or false")
        return labels is None or labels.value is not False

    def _check_schema(self) -> None:
        schema = text_of(self._root.get("llmstack"), "llmstack", self._problems)
        if self._root.get("llmstack") is None:
            self._problems.add(self._start, "E010", "the schema version is missing", f"start with llmstack: {SCHEMA}")
        elif schema and type(schema.value) is int and schema.value > SCHEMA:
            message = f"written for schema {schema.text}; this llmstack reads schema {SCHEMA}"
            self._problems.add(schema.at, "E010", message, "update llmstack")
        elif schema and (type(schema.value) is not int or schema.value != SCHEMA):
            self._problems.add(schema.at, "E010", f"llmstack should be the schema version, {SCHEMA}", str(SCHEMA))

    def _scope(self, tree: Tree, host: str, **own: str) -> Scope:
        own = {"inventory_hostname": host, "stack": self._stack, **own}
        return Scope(tree.machines[host].vars, own, self._environ, self._problems)

    def _places(self, entries: Entries) -> dict[KeyPath, Position]:
        """Where everything is written; what an entry takes from `defaults` counts as written there."""
        found = dict(positions(self._root))
        for draft in (*entries.services.values(), *entries.models.values()):
            for path, at in positions(draft.table, draft.path):
                found.setdefault(path, at)
        return found

    def _placements(self, entries: Entries, tree: Tree) -> Iterator[Placement]:
        pairs = [(draft, host) for draft in entries.services.values() for host in draft.hosts]
        if len(pairs) > MAX_PLACEMENTS:
            self._problems.add(self._start, "E004", f"more than {MAX_PLACEMENTS} services on hosts")
            return
        guests: dict[str | None, list[Draft]] = {}
        for draft in entries.models.values():
            guests.setdefault(draft.service, []).append(draft)
        for draft, host in pairs:
            own_model = draft.section == "models"
            models = [draft] if own_model else guests.get(draft.name, [])
            table, place = self._resolved(draft, host, tree)
            yield Placement(
                service=service_spec(draft.name, table, place),
                host=self._hosts[host],
                models=tuple(self._model(model, host, tree) for model in models),
                path=draft.path,
                own_model=own_model,
            )

    def _model(self, draft: Draft, host: str, tree: Tree) -> ModelSpec:
        table, place = self._resolved(draft, host, tree)
        return model_spec(draft.name, draft.service or draft.name, table, place)

    def _resolved(self, draft: Draft, host: str, tree: Tree) -> tuple[Table, Place]:
        words = {"service": draft.service or draft.name, **({"model": draft.name} if draft.section == "models" else {})}
        local = self._hosts[host].docker_host is None
        place = Place(draft.where, self._source.folder, self._environ, local, self._problems)
        node = self._scope(tree, host, **words).resolve(draft.table)
        return (node if isinstance(node, Table) else Table(draft.at)), place
