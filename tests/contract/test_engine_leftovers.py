"""What is left at last, the same on every engine."""

from __future__ import annotations

import pytest

from llmstack.domain.instance import Mount
from llmstack.domain.leftover import LeftoverKind
from llmstack.protocols import Ability
from tests.contract.benches import Bench, started


def test_nothing_is_left_at_first(bench: Bench) -> None:
    assert [each for each in bench.engine.leftovers(None) if each.kind is not LeftoverKind.IMAGE] == []


def left(bench: Bench, stack: str | None = None) -> list[tuple[str, str | None]]:
    return [(each.what, each.stack) for each in bench.engine.leftovers(stack)]


def test_all_that_is_left_is_listed_by_stack_and_discarded_even_while_it_runs(bench: Bench) -> None:
    volumes = Ability.VOLUMES in bench.engine.abilities
    mounts = (Mount(source="contract-data", target="/data", volume=True),) if volumes else ()
    instance = started(bench, bench.spec(mounts=mounts))
    bench.engine.create(bench.spec(stack="other", port=None))
    assert ("instance of web", "other") in left(bench)
    assert left(bench, "other")[0] == ("instance of web", "other")
    assert {stack for _, stack in left(bench, "contract")} == {"contract"}
    assert [each[0] for each in left(bench, "contract")].count("data of web") == volumes
    for each in bench.engine.leftovers("contract"):
        bench.engine.discard(each)
    assert left(bench, "contract") == []
    with pytest.raises(OSError):  # noqa: PT011 - refused, in one way or another
        bench.get(instance)
    for each in bench.engine.leftovers(None):
        bench.engine.discard(each)
    assert bench.engine.leftovers(None) == ()
