"""What an inventory says: hosts, groups, and each value with the place that set it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from llmstack.domain.host import Host
from llmstack.domain.service import Inventory
from llmstack.domain.setting import Setting
from llmstack.domain.units import UNKNOWN
from llmstack.ui.clean import line
from llmstack.ui.table import table
from llmstack.ui.text import Text

HEAD = ("HOST", "ENGINE", "REACHED BY", "GROUPS", "SERVICES")
LOCAL = "this machine"
LEAST_CELLS = 12
"""What of a value is worth showing."""

Row = Mapping[str, Any]


def host_rows(inventory: Inventory, hosts: Iterable[Host]) -> list[Row]:
    """Facts of each host, as JSON has them."""
    services: dict[str, list[str]] = {}
    for placement in inventory.placements:
        services.setdefault(placement.host.name, []).append(placement.service.name)
    return [
        {
            "target": host.name,
            "engine": host.engine,
            "docker_host": host.docker_host,
            "groups": list(host.groups),
            "services": services.get(host.name, []),
        }
        for host in hosts
    ]


def host_lines(rows: Iterable[Row], width: int) -> Iterator[Text]:
    """One row per host."""
    told = [[line((name, "bold")) for name in HEAD]]
    for row in rows:
        lists = (", ".join(row[key]) or UNKNOWN for key in ("groups", "services"))
        told.append([line(cell) for cell in (row["target"], row["engine"], row["docker_host"] or LOCAL, *lists)])
    yield from table(told, width)


def graph_lines(
    inventory: Inventory, group: str = "all", indent: str = "", seen: set[str] | None = None
) -> Iterator[Text]:
    """Groups and hosts as `ansible-inventory --graph` draws them, with the services of each host. What a group holds is
    drawn once."""
    seen = set() if seen is None else seen
    node = inventory.tree[group]
    if group in seen and (node.hosts or node.children):
        yield line(f"{indent}@{group}:", (" as above", "dim"))
        return
    seen.add(group)
    yield line(f"{indent}@{group}:")
    inner = f"  |{indent}" if indent else "  |--"
    for child in node.children:
        yield from graph_lines(inventory, child, inner, seen)
    for host in node.hosts if group != "all" else ():
        placed = ", ".join(each.service.name for each in inventory.placements if each.host.name == host)
        yield line(f"{inner}{host}", (f"  {placed}".rstrip(), "dim"))


def as_ansible(inventory: Inventory) -> dict[str, Any]:
    """The JSON of a dynamic inventory, as Ansible reads it from a program: it takes a group without any key for a
    host."""
    groups = {
        name: {"hosts": list(node.hosts), **({"children": list(node.children)} if node.children else {})}
        for name, node in inventory.tree.items()
    }
    return {"_meta": {"hostvars": {host.name: dict(host.vars) for host in inventory.hosts.values()}}, **groups}


def setting_lines(title: str, settings: Iterable[Setting], width: int) -> Iterator[Text]:
    """A title, and below it each value (cut where it is narrow, and never left out) with its place; variables that
    filled it stand below it."""
    rows: list[list[Text]] = []
    for each in settings:
        place = str(each.at) if each.at else f"default of {each.default}"
        rows.append([line(f"  {each.key}"), line(_text(each.value)), line((place, "" if each.at else "dim"))])
        for name, at in each.via:
            rows.append([line((f"    by {name}", "dim")), line(), line((str(at or "the environment"), "dim"))])
    widest = [max((row[index].cell_len for row in rows), default=0) for index in (0, 2)]
    room = max(LEAST_CELLS, width - sum(widest) - 4)
    yield line((title, "bold"))
    yield from table([[key, value.fitted(room), place] for key, value, place in rows])


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
