"""PURE: what the store has wrong, from its rows and what was seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from llmstack.core.actions import describe
from llmstack.domain.instance import Instance, State
from llmstack.domain.report import Difference
from llmstack.domain.stored import StoredModel
from llmstack.domain.target import Target

CLOCK_SLACK_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An instance as it is, with the names its rows have, the state a look gave it and its version."""

    instance: Instance
    names: tuple[str, ...]
    state: State
    version: str | None = None
    url: str | None = None
    wanted: bool = True


def differences(stored: Sequence[StoredModel], seen: Sequence[Seen]) -> tuple[Difference, ...]:
    """Every row that does not say what runs; orphans last. Rows of hosts that could not be asked must not be passed."""
    rows = {(row.host, row.container_name, row.name): row for row in stored}
    there = {(one.instance.host, one.instance.container_name) for one in seen}
    found = [difference for one in seen for name in one.names for difference in _of_row(one, name, rows)]
    found += [_gone(row) for row in stored if (row.host, row.container_name) not in there and row.state.active]
    return (*found, *_orphans(seen))


def _of_row(one: Seen, name: str, rows: dict[tuple[str, str, str], StoredModel]) -> Iterator[Difference]:
    instance = one.instance
    row = rows.get((instance.host, instance.container_name, name))
    word = "active" if one.state.active else "inactive"
    target = Target(name, instance.host)
    if row is None and one.state is State.ABSENT:
        return
    if row is None or row.status != word:
        store = row.status if row else "unknown"
        yield Difference(target=target, store=store, engine=_engine_says(one), action=f"recorded {word}")
    elif _restarted(row, instance):
        restarts = instance.restarts or 0
        engine = f"restarted by the engine {_since(instance.started_at)} ({restarts} in all)"
        yield Difference(target=target, store=row.status, engine=engine, action="recorded")


def _engine_says(one: Seen) -> str:
    """A running instance by what its server looks like, any other by how it ended and when."""
    if one.state is State.ABSENT:
        return "not in the server"
    if one.instance.running:
        since = _since(one.instance.started_at)
        return f"{one.state.value if not one.state.active else 'running'} {since}".strip()
    return f"{describe(one.instance)} {_since(one.instance.finished_at)}".strip()


def _restarted(row: StoredModel, instance: Instance) -> bool:
    started, known = instance.started_at, row.last_updated
    return bool(instance.restarts and started and known and started > known + CLOCK_SLACK_S)


def _gone(row: StoredModel) -> Difference:
    engine = "not there any more: removed by somebody else"
    return Difference(target=Target(row.name, row.host), store=row.status, engine=engine, action="recorded inactive")


def _orphans(seen: Iterable[Seen]) -> Iterator[Difference]:
    for one in seen:
        if not one.wanted:
            engine = f"{describe(one.instance)}, no longer in the inventory"
            action = "orphan: llmstack down --orphans removes it"
            yield Difference(target=one.instance.target, store="", engine=engine, action=action)


def _since(at: float | None) -> str:
    return f"since {datetime.fromtimestamp(at).astimezone():%Y-%m-%d %H:%M:%S}" if at else ""
