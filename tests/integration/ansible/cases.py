"""Makes inventories: the same seed makes the same one."""

from __future__ import annotations

import json
from random import Random
from typing import Any

WORDS = ("red", "green", "blue", "x1", "7", "v 8")
KEYS = ("a", "b", "c", "d", "e")
GROUPS = ("gpu", "edge", "prod", "lab", "zone", "web", "db", "rack_1")
RANGES = ("h[1:3]", "h[2:9:3]", "h[08:11]", "h[a:c]", "r[1:2]h[a:b]", "h[1:2].lab", "n[001:003]", "h[:2]")
SINGLE = ("h1", "h2", "h3", "h5", "ha", "hb", "n002", "lone", "h2.lab", "r1ha", "zed")


class Maker:
    """One inventory: a graph of groups that is written nested, flat, or both, and in several places."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.names = self.chance.sample(GROUPS, self.chance.randint(1, len(GROUPS)))

    def case(self) -> dict[str, Any]:
        """Files by name, of which `inventory.yaml` is one."""
        tops: dict[str, Any] = {"llmstack": 1, "all": self.group(-1, 0)}
        for name in self.some(self.names, 0.25):
            tops[name] = self.group(self.names.index(name), 1)
        tops = {key: value for key, value in self.shuffled(tops.items()) if value or key == "all"}
        return {"files": {"inventory.yaml": json.dumps(tops), **self.files()}}

    def group(self, index: int, depth: int) -> dict[str, Any] | None:
        """What stands under a group's name; children come later in the list of names, so that there is no circle."""
        if depth and self.chance.random() < 0.15:
            return None
        later = self.names[index + 1 :]
        children = {
            name: self.group(self.names.index(name), depth + 1) for name in self.some(later, 0.4 if depth < 3 else 0)
        }
        hosts = self.some((*RANGES, *SINGLE), 0.15 if depth else 0.08)
        found = {
            "hosts": {host: self.variables(0.2) or None for host in hosts},
            "children": children,
            "vars": self.variables(0.4, priority=True),
        }
        return {key: value for key, value in self.shuffled(found.items()) if value or self.chance.random() < 0.05}

    def variables(self, often: float, *, priority: bool = False) -> dict[str, Any]:
        found = {key: self.value() for key in self.some(KEYS, often)}
        if priority and self.chance.random() < 0.2:
            found["ansible_group_priority"] = self.chance.choice([0, 2, 10, -1])
        return found

    def value(self) -> Any:
        chance = self.chance
        kind = chance.random()
        if kind < 0.1:
            return {key: chance.choice(WORDS) for key in self.some(KEYS, 0.4)}
        return [chance.choice(WORDS)] if kind < 0.2 else chance.choice([*WORDS, chance.randint(0, 99), True, None])

    def files(self) -> dict[str, str]:
        """Some of the files beside it."""
        kinds = [("group_vars", ("all", "ungrouped", *self.names), 0.3), ("host_vars", SINGLE, 0.15)]
        found: dict[str, str] = {}
        for kind, names, often in kinds if self.chance.random() < 0.6 else ():
            for name in self.some(names, often):
                places = ["", ".yml", ".yaml", ".json", "/a.yml", "/b/c"]
                for place in (
                    self.chance.sample(places[4:], 2) if self.chance.random() < 0.1 else [self.chance.choice(places)]
                ):
                    found[f"{kind}/{name}{place}"] = json.dumps(self.variables(0.4))
        return found

    def pattern(self, hosts: list[str], groups: dict[str, list[str]], counted: set[str]) -> str:
        """One that Ansible reads as we do: one kind of separator, and nothing that is unknown."""
        terms = [
            self.chance.choice(["", "", "&", "!"]) + self.term(hosts, groups, counted)
            for _ in range(self.chance.randint(1, 4))
        ]
        return self.chance.choice([":", ",", " , "]).join(terms)

    def term(self, hosts: list[str], groups: dict[str, list[str]], counted: set[str]) -> str:
        name = self.chance.choice([*groups, *groups, *hosts])
        kind = self.chance.random()
        if kind < 0.2:
            return f"{name[: self.chance.randint(0, len(name))]}*"
        if kind < 0.3:
            return "~" + self.chance.choice([name[:2], "h[0-9]$", ".*a", "(gpu|h)[0-9]?$", name])
        if kind < 0.5 and name in counted and groups[name]:
            last = len(groups[name]) - 1
            first = self.chance.randint(0, last)
            return f"{name}[{self.chance.choice([str(first), f'{first}:', f'{first}:{last}', f'0:{first}', '-1'])}]"
        return name

    def some(self, names: Any, often: float) -> list[str]:
        return [name for name in names if self.chance.random() < often]

    def shuffled(self, items: Any) -> list[Any]:
        found = list(items)
        self.chance.shuffle(found)
        return found


ENDS = (["0", "1", "5", "9", "10", ""], ["007", "008", "011"], ["08", "10", "12"], ["a", "c", "x", "z", "B"])


def ranges(seed: int, count: int) -> list[str]:
    """Texts with ranges in them, right and wrong."""
    chance = Random(seed)
    return ["".join(_range(chance) for _ in range(chance.randint(1, 2))) for _ in range(count)]


def _range(chance: Random) -> str:
    ends = [chance.choice(chance.choice(ENDS)) for _ in range(2)]
    if chance.random() < 0.8:
        kind = chance.choice(ENDS)
        ends = sorted((chance.choice(kind), chance.choice(kind)), key=lambda end: (len(end), end.swapcase()))
    step = chance.choice(["", "", "", "", ":2", ":3", ":0", ":", ":x"])
    return f"h[{ends[0]}:{ends[1]}{step}].lab" if chance.random() < 0.9 else f"h[{ends[0]}]"
