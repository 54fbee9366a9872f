"""What a plan costs: what is fetched, what is away and for how long, and who notices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.drain import in_flight
from llmstack.core.observe import in_parallel
from llmstack.domain.codec import digest
from llmstack.domain.instance import InstanceSpec
from llmstack.domain.plan import Action, ActionKind, Plan, Price
from llmstack.domain.target import Target

StartS = Callable[[Target, str], float | None]
"""Seconds that the last start of a target took, by the digest of its spec; None when nothing is known."""

Needing = Mapping[str, Sequence[Wanted]]
"""Name of a service -> the placements that depend on it."""

AWAY = (ActionKind.REPLACE, ActionKind.RESTART)


def priced(plan: Plan, context: Context, start_s: StartS) -> Plan:
    """`plan` with the price of each action that changes something; asks only the servers that are taken down."""
    needing = _needing(context.wanted.values())
    work = partial(_price, context=context, start_s=start_s, needing=needing)
    prices = iter(in_parallel(work, list(plan.changes), context.forks))
    return Plan(
        tuple(replace(action, price=next(prices)) if action.kind.changes else action for action in plan.actions)
    )


def _price(action: Action, context: Context, start_s: StartS, needing: Needing) -> Price:
    there = action.observed
    asked = there if action.kind.takes_down and action.placement else None
    return Price(
        fetch_bytes=_fetch_bytes(action),
        downtime_s=start_s(action.target, digest(action.spec)) if action.spec and action.kind in AWAY else None,
        memory_before_bytes=_memory_bytes(there.spec if there else None),
        memory_after_bytes=_memory_bytes(action.spec),
        dependants=_dependants(action.target, context, needing) if action.kind.takes_down else (),
        in_flight=in_flight(context, context.wanted_of(action), asked) if asked else None,
    )


def _fetch_bytes(action: Action) -> int | None:
    sizes = [need.size_bytes for need in action.needs]
    return None if None in sizes else sum(size for size in sizes if size is not None)


def _memory_bytes(spec: InstanceSpec | None) -> int | None:
    limit = spec.limits.memory_bytes if spec else None
    return limit if isinstance(limit, int) else None


def _needing(wanted: Iterable[Wanted]) -> Needing:
    needing: dict[str, list[Wanted]] = {}
    for item in wanted:
        for name in item.placement.service.depends_on:
            needing.setdefault(name, []).append(item)
    return needing


def _dependants(target: Target, context: Context, needing: Needing) -> tuple[str, ...]:
    """The services that need it, and those that need them: of its host, and of others without one of that name."""
    found: dict[Target, None] = {}
    open_ends = [target]
    while open_ends:
        needed = open_ends.pop()
        for item in needing.get(needed.name, ()):
            mine = item.target.host == needed.host or Target(needed.name, item.target.host) not in context.wanted
            if mine and item.target not in found:
                found[item.target] = None
                open_ends.append(item.target)
    return tuple(map(str, found))
