"""PURE: a port, a volume, or GPUs, that one action of a plan sets free for another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from llmstack.domain.instance import InstanceSpec
from llmstack.domain.plan import Action, ActionKind

Room = tuple[str, int | str]
"""(host, port, "gpus" or a volume)"""


def makers_of_room(actions: Sequence[Action]) -> Iterator[set[int]]:
    """For each action those on other targets, by their place in the plan, that set free what it takes."""
    freed: dict[Room, list[int]] = {}
    for index, action in enumerate(actions):
        for room in _has(action) - _gets(action):
            freed.setdefault(room, []).append(index)
    for action in actions:
        indices = (index for room in _gets(action) - _has(action) for index in freed.get(room, ()))
        yield {index for index in indices if actions[index].target != action.target}


def opened(actions: Sequence[Action]) -> Sequence[Action]:
    """The same; of those that each take what the next one has, all around, the first stops before the others begin."""
    room = list(makers_of_room(actions))
    for index, action in enumerate(actions):
        first = _before(index, room)
        if index in first and (there := action.observed):
            ring = [str(actions[one].target) for one in sorted(first - {index}) if index in _before(one, room)]
            reason = f"swaps port, volume or GPUs with {', '.join(ring)}, so it stops first"
            stop = replace(action, kind=ActionKind.STOP, reason=reason, changes=(), spec=None, needs=())
            rest = replace(action, observed=replace(there, running=False))
            return opened((*actions[:index], stop, rest, *actions[index + 1 :]))
    return actions


def _before(index: int, room: Sequence[set[int]]) -> set[int]:
    """All that must make room first."""
    found, ahead = set[int](), [index]
    while ahead:
        more = room[ahead.pop()] - found
        found |= more
        ahead += more
    return found


def _has(action: Action) -> set[Room]:
    """What its target holds now."""
    there = action.observed
    return _rooms(there.host, there.port, there.spec) if there and there.running and not action.model else set()


def _gets(action: Action) -> set[Room]:
    """What its target holds afterwards."""
    if action.kind in (ActionKind.REMOVE, ActionKind.STOP):
        return set()
    spec = action.spec
    return _rooms(spec.host, spec.host_port, spec) if spec and action.kind.changes else _has(action)


def _rooms(host: str, port: int | None, spec: InstanceSpec | None) -> set[Room]:
    gpus = ["gpus"] if spec and spec.resources.gpus else []
    volumes = [f"volume {name}" for name in spec.own.values()] if spec else []
    return {(host, room) for room in (port, *gpus, *volumes) if room}
