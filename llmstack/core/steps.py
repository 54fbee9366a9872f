"""PURE: who waits for whom when a plan is applied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmstack.core.room import makers_of_room, opened
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.target import Target

ROLLED = (ActionKind.REPLACE, ActionKind.RESTART)
"""What takes a service down for a while goes over its hosts in batches."""


@dataclass(frozen=True, slots=True)
class Step:
    """An action, the steps (by their place in the plan) that must have succeeded before it, and those of earlier
    batches, which must have ended with at most `max_fail` failures."""

    action: Action
    after: tuple[int, ...] = ()
    gate: tuple[int, ...] = ()
    max_fail: int = 0


def steps_of(plan: Plan, *, down: bool) -> tuple[Step, ...]:
    """Going up, a service waits for what it depends on and a model for its service; going down, a service waits for its
    dependants. Who takes a port waits for who sets it free. Actions on one target keep their order."""
    gates, after = dict(_gates(plan.actions)), _after(plan.actions, makers_of_room(plan.actions), down=down)
    return tuple(
        Step(action, tuple(sorted(after[index])), *gates.get(index, ())) for index, action in enumerate(plan.actions)
    )


def in_turn(actions: Sequence[Action]) -> tuple[Action, ...]:
    """The actions of an `up`, with those that make room moved before those that need it."""
    actions, room = opened(actions)
    after = _after(actions, room, down=False) if any(room) else []
    done: dict[int, None] = {}

    def visit(index: int, path: tuple[int, ...]) -> None:
        if index in done or index in path:
            return
        for first in sorted(after[index] | room[index]) if after else ():
            visit(first, (*path, index))
        done[index] = None

    for index in range(len(actions)):
        visit(index, ())
    return tuple(actions[index] for index in done)


def _gates(actions: Sequence[Action]) -> Iterator[tuple[int, tuple[tuple[int, ...], int]]]:
    """Index -> the steps of earlier batches of the same service, and how many of them may fail."""
    rolling: dict[str, list[int]] = {}
    for index, action in enumerate(actions):
        if action.kind in ROLLED and action.placement:
            rolling.setdefault(action.target.name, []).append(index)
    for indices in rolling.values():
        placement = actions[indices[0]].placement
        assert placement is not None
        size = batch_size(placement.service.update.serial, len(indices))
        for place, index in enumerate(indices):
            yield index, (tuple(indices[: place - place % size]), placement.service.update.max_fail)


def batch_size(serial: int | str, hosts: int) -> int:
    """How many of `hosts` go at once: a number, or a share of them such as `25%`; at least one."""
    share = hosts * int(serial[:-1]) // 100 if isinstance(serial, str) else serial
    return max(1, share)


def _after(actions: Sequence[Action], room: Sequence[set[int]], *, down: bool) -> list[set[int]]:
    """For each action, the earlier ones it waits for."""
    after: list[set[int]] = [set() for _ in actions]
    of_target: dict[Target, list[int]] = {}
    for index, needed in enumerate(_needs(actions)):
        earlier = of_target.setdefault(actions[index].target, [])
        after[index].update(earlier, (other for other in room[index] if other < index))
        earlier.append(index)
        for other in needed:
            waiting, first = (other, index) if down else (index, other)
            if first < waiting:
                after[waiting].add(first)
    return after


def _needs(actions: Sequence[Action]) -> Iterator[list[int]]:
    """For each action, those on the services that it cannot do without: a model's own, and of what its service depends
    on the one of its host where there is one, else all of that name."""
    here: dict[Target, list[int]] = {}
    named: dict[str, list[int]] = {}
    for index, action in enumerate(actions):
        if action.placement:
            service = action.placement.target
            here.setdefault(service, []).extend([] if action.model else [index])
            named.setdefault(service.name, []).extend([] if action.model else [index])
    for action in actions:
        placement = action.placement
        found = list(here[placement.target]) if placement and action.model else []
        for name in placement.service.depends_on if placement else ():
            found += here.get(Target(name, placement.host.name)) or named.get(name, [])  # type: ignore[union-attr]
        yield found
