"""What only all entries together can tell: ports, dependencies, companions on other hosts, aliases."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Sequence

from llmstack.domain.names import nearest
from llmstack.domain.position import KeyPath, Position, Positions, locate
from llmstack.domain.service import Placement
from llmstack.inventory.entries import Entries, check_name
from llmstack.inventory.problems import Problems
from llmstack.inventory.tree import Tree
from llmstack.inventory.values import addresses_clash, is_loopback


def check_together(placements: Sequence[Placement], entries: Entries, positions: Positions, problems: Problems) -> None:
    """Note every mistake between entries."""
    checker = _Checker(placements, entries, positions, problems)
    checker.ports()
    checker.dependencies()
    checker.cycles()


class _Checker:
    def __init__(
        self, placements: Sequence[Placement], entries: Entries, positions: Positions, problems: Problems
    ) -> None:
        self._placements = placements
        self._entries = entries
        self._positions = positions
        self._problems = problems
        self._of: dict[str, list[Placement]] = {}
        for placement in placements:
            self._of.setdefault(placement.service.name, []).append(placement)

    def ports(self) -> None:
        taken: dict[tuple[str, object], list[Placement]] = {}
        for placement in self._placements:
            service = placement.service
            if not service.enabled or not isinstance(service.port, int):
                continue
            others = taken.setdefault((placement.host.name, service.port), [])
            for other in others:
                if addresses_clash(other.service.bind, service.bind):
                    message = f"port {service.port} on {placement.host.name} belongs to '{other.service.name}' already"
                    self._problems.add(self._at(placement, "port"), "E050", message, "another port, or auto")
            others.append(placement)

    def dependencies(self) -> None:
        for placement in self._placements:
            for index, name in enumerate(placement.service.depends_on):
                at = self._at(placement, "depends_on", index)
                if name not in self._entries.services:
                    self._unknown(name, at)
                else:
                    self._reach(placement, self._of.get(name, ()), at)

    def _unknown(self, name: str, at: Position | None) -> None:
        if model := self._entries.models.get(name):
            message = f"'{name}' is a model in service '{model.service}'; a dependency is a service"
            self._problems.add(at, "E051", message, model.service)
        else:
            near = nearest(name, self._entries.services)
            known = "services: " + ", ".join(self._entries.services)
            self._problems.add(at, "E051", f"unknown service '{name}' in depends_on", near or known)

    def _reach(self, placement: Placement, needed: Iterable[Placement], at: Position | None) -> None:
        """A companion reaches a service in its own host's network, and on other hosts only what listens there."""
        needed = tuple(needed)
        here, name = placement.host.name, placement.service.name
        if not placement.service.enabled or not needed or any(other.host.name == here for other in needed):
            return
        other = needed[0]
        if other.service.url is None and all(is_loopback(one.service.bind) for one in needed):
            message = (
                f"'{name}' on {here} cannot reach '{other.service.name}': on {other.host.name} it is bound to loopback"
            )
            fix = f"set bind: lan in {'.'.join(map(str, other.path))}{self._line(other.path)}"
            self._problems.add(at, "E052", message, fix)

    def cycles(self) -> None:
        graph: dict[str, set[str]] = {}
        for placement in self._placements:
            graph.setdefault(placement.service.name, set()).update(placement.service.depends_on)
        while True:
            try:
                graphlib.TopologicalSorter(graph).prepare()
            except graphlib.CycleError as error:
                cycle: list[str] = error.args[1][::-1]
                chain = " → ".join(cycle)
                placement = self._of[cycle[0]][0]
                self._problems.add(self._at(placement, "depends_on"), "E051", f"services wait for each other: {chain}")
                graph[cycle[0]].discard(cycle[1])
            else:
                return

    def _at(self, placement: Placement, *key: str | int) -> Position | None:
        return locate(self._positions, (*placement.path, *key))

    def _line(self, path: KeyPath) -> str:
        at = locate(self._positions, path, key=True)
        return f" (line {at.line})" if at else ""


def check_aliases(
    placements: Sequence[Placement], entries: Entries, tree: Tree, positions: Positions, problems: Problems
) -> None:
    """Note each alias that is taken, or cannot be a name."""
    taken = {name: name for name in (*entries.services, *entries.models)}
    aliases = {model.name: model.aliases for placement in placements for model in placement.models}
    for name, alias, index in ((name, alias, index) for name in aliases for index, alias in enumerate(aliases[name])):
        if (at := locate(positions, ("models", name, "aliases", index))) is None:
            continue
        check_name(alias, at, "alias", tree, problems)
        if alias in taken:
            problems.add(at, "E014", f"alias '{alias}' of '{name}' is taken by '{taken[alias]}'")
        taken.setdefault(alias, name)
