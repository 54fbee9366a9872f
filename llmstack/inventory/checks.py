"""What only all placements together can tell: ports, dependencies, companions on other hosts, aliases."""

from __future__ import annotations

import graphlib
import ipaddress
from collections.abc import Mapping

from llmstack.domain.names import nearest
from llmstack.domain.position import KeyPath, locate
from llmstack.domain.service import Inventory, Placement
from llmstack.inventory.entries import name_mistake
from llmstack.inventory.nodes import Problems, listed

EVERYWHERE = (ipaddress.ip_address("0.0.0.0"), ipaddress.ip_address("::"))
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def check(inventory: Inventory, problems: Problems) -> None:
    """Note every mistake."""
    checks = _Checks(inventory, problems)
    checks.ports()
    checks.dependencies()
    checks.aliases()


class _Checks:
    def __init__(self, inventory: Inventory, problems: Problems) -> None:
        self._inventory, self._problems = inventory, problems
        self._placed: dict[str, dict[str, Placement]] = {}
        for placement in inventory.placements:
            self._placed.setdefault(placement.service.name, {})[placement.host.name] = placement
        self._closed = {name for name, there in self._placed.items() if all(map(_is_closed, there.values()))}
        self._models = {model.name: model for placement in inventory.placements for model in placement.models}

    def _note(self, path: KeyPath, code: str, message: str, fix: str, placement: Placement | None = None) -> None:
        positions = placement.positions if placement and path in placement.positions else self._inventory.positions
        self._problems.add(locate(positions, path), code, message, fix)

    def ports(self) -> None:
        """Each fixed port belongs to one service of a host."""
        taken: dict[tuple[str, object], dict[Address, str]] = {}
        for placement in self._inventory.placements:
            service, host = placement.service, placement.host.name
            if not service.enabled or not isinstance(service.port, int):
                continue
            others, mine = taken.setdefault((host, service.port), {}), _address(service.bind)
            if clash := others if mine.is_unspecified else {mine, *EVERYWHERE} & others.keys():
                message = f"port {service.port} on {host} belongs to '{others[min(clash, key=str)]}' already"
                self._note((*placement.path, "port"), "E050", message, "another port, or auto", placement)
            others.setdefault(mine, service.name)

    def dependencies(self) -> None:
        """`depends_on` names services, which do not wait for each other."""
        waits: dict[tuple[str, str], KeyPath] = {}
        for placement in self._inventory.placements:
            for index, name in enumerate(placement.service.depends_on):
                path = (*placement.path, "depends_on", index)
                if needed := self._placed.get(name):
                    waits[placement.service.name, name] = path
                    if name in self._closed and placement.service.enabled and placement.host.name not in needed:
                        self._unreachable(placement, next(iter(needed.values())), path)
                elif name in self._models:
                    service = self._models[name].service
                    message = f"'{name}' is a model in service '{service}'; a dependency is a service"
                    self._note(path, "E051", message, service, placement)
                else:
                    fix = nearest(name, self._placed) or f"services: {listed(self._placed)}"
                    self._note(path, "E051", f"unknown service '{name}' in depends_on", fix, placement)
        self._cycle(waits)

    def _unreachable(self, placement: Placement, needed: Placement, path: KeyPath) -> None:
        there = f"on {needed.host.name} it is bound to loopback"
        message = f"'{placement.service.name}' on {placement.host.name} cannot reach '{needed.service.name}': {there}"
        self._note(path, "E052", message, f"set bind: lan in {'.'.join(map(str, needed.path))}", placement)

    def _cycle(self, waits: Mapping[tuple[str, str], KeyPath]) -> None:
        graph = graphlib.TopologicalSorter[str]()
        for name, needed in waits:
            graph.add(name, needed)
        try:
            graph.prepare()
        except graphlib.CycleError as error:
            cycle = error.args[1][::-1]
            message = f"services wait for each other: {' → '.join(cycle)}"
            self._note(waits[cycle[0], cycle[1]], "E051", message, "one of them must go without")

    def aliases(self) -> None:
        """An alias is a name of its own."""
        taken = {name: name for name in (*self._placed, *self._models)}
        for model in self._models.values():
            for index, alias in enumerate(model.aliases):
                path = ("models", model.name, "aliases", index)
                if wrong := name_mistake(alias, "alias", self._inventory.groups, self._inventory.hosts):
                    self._note(path, "E014", *wrong)
                if alias in taken:
                    message = f"alias '{alias}' of '{model.name}' is taken by '{taken[alias]}'"
                    self._note(path, "E014", message, "write another, or remove it")
                taken.setdefault(alias, model.name)


def _address(bind: str) -> Address:
    """Where a service listens; unspecified for every address."""
    return ipaddress.ip_address({"loopback": "127.0.0.1", "lan": "0.0.0.0"}.get(bind, bind))


def _is_closed(placement: Placement) -> bool:
    """Whether only its own host, or a companion that shares the network there, reaches a service."""
    return placement.service.url is None and _address(placement.service.bind).is_loopback
