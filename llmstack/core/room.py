"""PURE: a port, a volume, or GPUs, that one action of a plan sets free for another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from llmstack.domain.instance import InstanceSpec
from llmstack.domain.plan import Action, ActionKind

Room = tuple[str, int | str]
"""(host, port, "gpus" or a volume)"""


def makers_of_room(actions: Sequence[Action]) -> list[set[int]]:
    """For each action those on other targets, by their place in the plan, that set free what it takes."""
    freed: dict[Room, list[int]] = {}
    held = [(_has(action), _gets(action)) if action.kind.changes else (set(), set()) for action in actions]
    for index, (has, gets) in enumerate(held):
        for room in has - gets:
            freed.setdefault(room, []).append(index)
    return [
        {index for room in gets - has for index in freed.get(room, ()) if actions[index].target != action.target}
        for action, (has, gets) in zip(actions, held, strict=True)
    ]


def opened(actions: Sequence[Action]) -> tuple[Sequence[Action], list[set[int]]]:
    """The same, with what makes room for each; of those that each take what the next one has, all around, the first
    stops before the others begin."""
    room = makers_of_room(actions)
    for index, action in enumerate(actions):
        first = _before(index, room)
        if index in first and (there := action.observed):
            ring = [str(actions[one].target) for one in sorted(first - {index}) if index in _before(one, room)]
            reason = f"swaps port, volume or GPUs with {', '.join(ring)}, so it stops first"
            stop = replace(action, kind=ActionKind.STOP, reason=reason, changes=(), spec=None, needs=())
            rest = replace(action, observed=replace(there, running=False))
            return opened((*actions[:index], stop, rest, *actions[index + 1 :]))
    return actions, room


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
    """What its target holds after a change."""
    if action.kind in (ActionKind.REMOVE, ActionKind.STOP):
        return set()
    spec = action.spec
    return _rooms(spec.host, spec.host_port, spec) if spec else _has(action)


def _rooms(host: str, port: int | None, spec: InstanceSpec | None) -> set[Room]:
    gpus = ["gpus"] if spec and spec.resources.gpus else []
    volumes = [f"volume {name}" for name in spec.own.values()] if spec else []
    return {(host, room) for room in (port, *gpus, *volumes) if room}
