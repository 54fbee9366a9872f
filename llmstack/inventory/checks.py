"""What only all entries together can tell: ports, dependencies, companions on other hosts, aliases."""

from __future__ import annotations

import graphlib
from collections.abc import Sequence

from llmstack.domain.names import nearest
from llmstack.domain.position import Position, Positions, locate
from llmstack.domain.service import Placement
from llmstack.inventory.entries import Entries, check_name
from llmstack.inventory.nodes import Listing, Scalar
from llmstack.inventory.problems import Problems
from llmstack.inventory.tree import Tree
from llmstack.inventory.values import addresses_clash, is_loopback


def check_ports(placements: Sequence[Placement], positions: Positions, problems: Problems) -> None:
    """Note each fixed port that two services of a host want."""
    taken: dict[tuple[str, object], list[Placement]] = {}
    for placement in placements:
        service = placement.service
        if not service.enabled or not isinstance(service.port, int):
            continue
        others = taken.setdefault((placement.host.name, service.port), [])
        for other in others:
            if addresses_clash(other.service.bind, service.bind):
                message = f"port {service.port} on {placement.host.name} belongs to '{other.service.name}' already"
                problems.add(locate(positions, (*placement.path, "port")), "E050", message, "another port, or auto")
        others.append(placement)


def check_dependencies(entries: Entries, problems: Problems) -> None:
    """Note each `depends_on` that names no service, and services that wait for each other."""
    graph: dict[str, set[str]] = {}
    places: dict[tuple[str, str], Position] = {}
    for draft in entries.services.values():
        node = draft.table.get("depends_on")
        items = node.items if isinstance(node, Listing) else ()
        for item in (item for item in items if isinstance(item, Scalar)):
            if item.text in entries.services:
                graph.setdefault(draft.name, set()).add(item.text)
                places[draft.name, item.text] = item.at
            else:
                _unknown(item, entries, problems)
    while cycle := _cycle(graph):
        message = f"services wait for each other: {' → '.join(cycle)}"
        problems.add(places[cycle[0], cycle[1]], "E051", message)
        graph[cycle[0]].discard(cycle[1])


def _unknown(item: Scalar, entries: Entries, problems: Problems) -> None:
    if model := entries.models.get(item.text):
        message = f"'{item.text}' is a model in service '{model.service}'; a dependency is a service"
        problems.add(item.at, "E051", message, model.service)
    else:
        near = nearest(item.text, entries.services)
        message = f"unknown service '{item.text}' in depends_on"
        problems.add(item.at, "E051", message, near or f"services: {', '.join(entries.services)}")


def _cycle(graph: dict[str, set[str]]) -> list[str]:
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]
    return []


def check_reach(placements: Sequence[Placement], positions: Positions, problems: Problems) -> None:
    """Note each companion that cannot reach what it depends on: it shares the network of its own host's services, and
    on other hosts reaches only what listens there."""
    by_name: dict[str, list[Placement]] = {}
    for placement in placements:
        by_name.setdefault(placement.service.name, []).append(placement)
    for placement in (placement for placement in placements if placement.service.enabled):
        for index, name in enumerate(placement.service.depends_on):
            needed = by_name.get(name, ())
            if not needed or any(one.host.name == placement.host.name for one in needed):
                continue
            if all(one.service.url is None and is_loopback(one.service.bind) for one in needed):
                at = locate(positions, (*placement.path, "depends_on", index))
                there = f"on {needed[0].host.name} it is bound to loopback"
                message = f"'{placement.service.name}' on {placement.host.name} cannot reach '{name}': {there}"
                problems.add(at, "E052", message, f"set bind: lan in {'.'.join(map(str, needed[0].path))}")


def check_aliases(
    placements: Sequence[Placement], entries: Entries, tree: Tree, positions: Positions, problems: Problems
) -> None:
    """Note each alias that is taken, or cannot be a name."""
    taken = {name: name for name in (*entries.services, *entries.models)}
    aliases = {model.name: model.aliases for placement in placements for model in placement.models}
    for name, index, alias in ((model, *pair) for model in aliases for pair in enumerate(aliases[model])):
        at = locate(positions, ("models", name, "aliases", index))
        check_name(alias, at, "alias", tree, problems)
        if alias in taken:
            problems.add(at, "E014", f"alias '{alias}' of '{name}' is taken by '{taken[alias]}'")
        taken.setdefault(alias, name)
