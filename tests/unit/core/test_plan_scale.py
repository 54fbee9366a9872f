"""A plan for many instances is made in one pass over what is there, not in one pass for each of them."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, ValuesView
from typing import Any

import pytest

from llmstack.core.observe import Observed, sort_out
from llmstack.core.plan import plan_down, plan_up
from llmstack.core.select import Picked
from llmstack.domain.plan import ActionKind
from tests.unit.core.world import World

COUNT = 200


class Counting(dict[Any, Any]):
    """Counts how often all of it is gone through."""

    passes = 0

    def _pass(self) -> None:
        self.passes += 1

    def values(self) -> ValuesView[Any]:
        self._pass()
        return super().values()

    def items(self) -> ItemsView[Any, Any]:
        self._pass()
        return super().items()

    def __iter__(self) -> Iterator[Any]:
        self._pass()
        return super().__iter__()


@pytest.mark.parametrize(
    ("planner", "kinds"),
    [(plan_up, {ActionKind.KEEP, ActionKind.CREATE}), (plan_down, {ActionKind.KEEP, ActionKind.REMOVE})],
)
def test_what_is_there_is_gone_through_once(world: World, planner: Any, kinds: set[ActionKind]) -> None:
    wanted = [world.want(f"s{number}", port=None) for number in range(COUNT)]
    rows = [world.run(item) for item in wanted[::2]]
    there = Counting(sort_out(rows, {}).instances)
    plan = planner([Picked(item, item.placement.models) for item in wanted], Observed(instances=there))
    assert there.passes == 1
    assert (len(plan.actions), {action.kind for action in plan.actions}) == (COUNT, kinds)
