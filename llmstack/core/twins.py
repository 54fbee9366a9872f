"""Hosts that are one engine under two names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from llmstack.core.observe import Place
from llmstack.domain.host import Host
from llmstack.domain.position import locate
from llmstack.domain.service import EXTERNAL, Inventory, problem_at
from llmstack.errors import InventoryError

SameAs = Callable[[Host, str], str]
"""What is equal for the engines of a kind on two hosts if they are one."""


def refuse_twins(inventory: Inventory, same: SameAs) -> None:
    """Services on both names would take each other's containers, and wait for each other's lock.

    Raises InventoryError.
    """
    placed = {(each.host.name, each.engine): each.host for each in inventory.placements if each.engine != EXTERNAL}
    taken: dict[tuple[str, str], str] = {}
    problems = []
    for (name, kind), host in placed.items() if len(placed) > 1 else ():
        first = taken.setdefault((kind, same(host, kind)), name)
        if first != name:
            at = locate(inventory.positions, ("hosts", first))
            written = f" (line {at.line})" if at else ""
            message = f"'{name}' and '{first}'{written} are one {kind} engine under two names, with services on both"
            fix = f"place them on one: hosts: {first}"
            problems.append(problem_at(inventory, ("hosts", name), "E023", message, fix))
    if problems:
        raise InventoryError(problems, inventory=inventory)


def distinct(places: Mapping[Place, Host], first: Collection[Place], same: SameAs) -> dict[Place, Host]:
    """PURE: each engine under one of its names: one of the `first`, if it has one there."""
    taken: dict[tuple[str, str], Place] = {}
    for place in sorted(places, key=lambda place: place not in first):
        taken.setdefault((place[1], same(places[place], place[1])), place)
    return {place: places[place] for place in places if place in taken.values()}
