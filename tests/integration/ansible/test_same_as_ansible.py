"""Groups, ranges, patterns and the precedence of variables are ansible-core's, on hundreds of inventories.

A failure names the seed: `Maker(SEED).case()` makes that inventory again.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llmstack.domain.service import Inventory
from llmstack.errors import NoMatchError
from llmstack.inventory import hosts_matching, load
from llmstack.inventory.patterns import expand
from tests.integration.ansible import peer
from tests.integration.ansible.cases import Maker, ranges

INVENTORIES, PATTERNS, RANGES = 500, 6, 400


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, dict[str, Any], Inventory, dict[str, Any]]]:
    """Seed, case, what we make of it, and what Ansible does."""
    folder = tmp_path_factory.mktemp("ansible")
    made = [_made(seed, folder / "ours" / str(seed)) for seed in range(INVENTORIES)]
    told = peer.ask([case for _, case, _ in made], folder)
    return [(*one, answer) for one, answer in zip(made, told, strict=True)]


def _made(seed: int, folder: Path) -> tuple[int, dict[str, Any], Inventory]:
    maker = Maker(seed)
    case = maker.case()
    for name, text in case["files"].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    ours = load(str(folder / "inventory.yaml"), environ={})
    groups = {name: list(hosts) for name, hosts in ours.groups.items()}
    counted = {name for name in groups if in_order(ours, name)}
    case["patterns"] = [maker.pattern(list(ours.hosts), groups, counted) for _ in range(PATTERNS)]
    return seed, case, ours


def in_order(ours: Inventory, name: str) -> bool:
    """Whether Ansible too has one order for the hosts of a group: it walks from level to level by sets."""
    seen, level = {name}, [name]
    while level:
        parents = [group for group in level if set(ours.tree[group].children) - seen]
        if len(parents) > 1:
            return False
        level = [child for group in parents for child in ours.tree[group].children if child not in seen]
        seen.update(level)
    return True


def test_hosts_and_groups_are_the_same(both: list[Any]) -> None:
    for seed, _, ours, theirs in both:
        if not theirs["hosts"]:
            assert list(ours.hosts) == ["localhost"], seed
            continue
        groups = {name: members for name, members in theirs["groups"].items() if name != "llmstack"}
        assert list(ours.hosts) == theirs["hosts"], seed
        assert list(ours.groups) == list(groups), seed
        for name, members in groups.items():
            same = list if in_order(ours, name) else sorted
            assert same(ours.groups[name]) == same(members), (seed, name)


def test_variables_and_the_order_of_groups_are_the_same(both: list[Any]) -> None:
    for seed, _, ours, theirs in both:
        for name, variables in theirs["vars"].items():
            assert dict(ours.hosts[name].vars) == variables, (seed, name)
            assert list(ours.hosts[name].groups) == theirs["groups_of"][name], (seed, name)


def test_patterns_pick_the_same_hosts(both: list[Any]) -> None:
    """What picks nothing there is a mistake here."""
    seen: Counter[str] = Counter()
    for seed, _, ours, theirs in both:
        for pattern, expected in theirs["patterns"].items() if theirs["hosts"] else ():
            try:
                found = hosts_matching(ours, pattern)
            except NoMatchError as error:
                kind = "nothing" if not expected else "part" if "matches no host or group" in error.message else "wrong"
            else:
                kind = "same" if set(found) == set(expected or ()) else "wrong"
            seen[kind] += 1
            assert kind != "wrong", (seed, pattern, expected)
    assert seen["same"] > 0.5 * INVENTORIES * PATTERNS
    assert seen["part"] < 0.05 * seen["same"]


def test_ranges_stand_for_the_same_names(tmp_path: Path) -> None:
    """A range that ends before it starts is nothing there, and a mistake here."""
    texts = ranges(1, RANGES)
    (theirs,) = peer.ask([{"ranges": texts}], tmp_path)
    seen: Counter[bool] = Counter()
    for text, expected in zip(texts, theirs["ranges"], strict=True):
        try:
            found = expand(text)
        except ValueError:
            found = []
        assert found == (expected or []), text
        seen[bool(found)] += 1
    assert min(seen.values()) > RANGES / 10
