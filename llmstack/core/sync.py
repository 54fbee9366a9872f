"""PURE: what the store has wrong, from its rows and what was seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llmstack.core.actions import describe
from llmstack.core.diff import by_hand
from llmstack.core.fate import ENDED, Reason, began_anew, changed_hands, reason, starved
from llmstack.domain.instance import Instance, State
from llmstack.domain.plan import Action, ActionKind
from llmstack.domain.report import Difference, Fate
from llmstack.domain.stored import StoredModel
from llmstack.domain.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An instance as it is, with the names its rows have, the state a look gave it and its version."""

    instance: Instance
    names: tuple[str, ...]
    state: State
    version: str | None = None
    url: str | None = None
    wanted: bool = True


def differences(
    stored: Sequence[StoredModel],
    seen: Sequence[Seen],
    now: float,
    taken: Mapping[tuple[str, str], Instance] | None = None,
) -> tuple[Difference, ...]:
    """Every row that does not say what runs; orphans last. Rows of hosts that could not be asked must not be passed.
    `taken` holds what has a name of ours and is not ours, by host and name."""
    rows = {(row.host, row.container_name, row.name): row for row in stored}
    there = {(one.instance.host, one.instance.container_name) for one in seen}
    found = [difference for one in seen for name in one.names for difference in _of_row(one, name, rows, now)]
    for row in stored:
        key = (row.host, row.container_name)
        if (
            key not in there
            and row.state is not State.ABSENT
            and (why := reason(None, row, now, taken=(taken or {}).get(key)))
        ):
            found.append(_difference(Target(row.name, row.host), row, "inactive", why))
    return (*found, *_orphans(seen))


def _of_row(one: Seen, name: str, rows: Mapping[tuple[str, str, str], StoredModel], now: float) -> Iterator[Difference]:
    there = one.instance
    row = rows.get((there.host, there.container_name, name))
    word = "active" if one.state.active else "inactive"
    if row is None and one.state is State.ABSENT:
        return
    otherwise = row and row.state in ENDED and one.state in ENDED and row.state is not one.state
    news = otherwise or (row and (changed_hands(there, row) or began_anew(there, row) or starved(there, row)))
    if row and row.status == word and not news:
        return
    yield _difference(Target(name, there.host), row, word, _why(one, row, now))


def _why(one: Seen, row: StoredModel | None, now: float) -> Reason:
    """What runs is told by what its server looks like."""
    why = reason(one.instance, row, now)
    if one.state is State.ABSENT or why is None:
        return Reason(Fate.REMOVED, "not in the server")
    if one.instance.running and not one.state.active:
        return Reason(why.fate, why.text.replace("running", one.state.value, 1))
    return why


def _difference(target: Target, row: StoredModel | None, word: str, why: Reason) -> Difference:
    store = row.status if row else "unknown"
    action = "recorded" if store == word else f"recorded {word}"
    return Difference(target=target, store=store, engine=why.text, action=action, reason=why.fate)


def _orphans(seen: Iterable[Seen]) -> Iterator[Difference]:
    for one in seen:
        if not one.wanted:
            engine = f"{describe(one.instance)}, no longer in the inventory"
            action = "orphan: llmstack down --orphans removes it"
            yield Difference(target=one.instance.target, store="", engine=engine, action=action, reason=Fate.ORPHAN)


def wishes(actions: Iterable[Action], whys: Mapping[Target, Reason], told: Collection[Target]) -> Iterator[Difference]:
    """What the inventory wants and is not so, by what `up` would do first about each; what is `told` already as down is
    not told again."""
    first: dict[Target, Action] = {}
    for action in actions:
        if action.kind is ActionKind.KEEP and (told_of := by_hand(action.observed)):
            engine, todo = f"not as it was made ({told_of})", f"llmstack down --service {action.target.name}, then up"
            yield Difference(target=action.target, store="", engine=engine, action=todo, reason=Fate.DIFFERS)
        elif action.kind.changes or action.kind is ActionKind.REFUSED:
            first.setdefault(action.target, action)
    for target, action in first.items():
        fate, text = _wish(action, whys.get(target))
        if fate is Fate.DIFFERS or target not in told:
            todo = f"llmstack up --service {target.name}"
            yield Difference(target=target, store="", engine=text, action=todo, reason=fate)


def _wish(action: Action, why: Reason | None) -> tuple[Fate, str]:
    down = action.kind is not ActionKind.REMOVE and not (action.observed and action.observed.running)
    if action.observed and action.changes:
        found = (f"{one.label} {one.before or 'none'} → {one.after or 'none'}" for one in action.changes)
        return Fate.DIFFERS, f"differs from the inventory ({', '.join(found)})"
    if action.kind is ActionKind.REFUSED:
        return Fate.WANTED, f"wanted, {action.reason}"
    if down:
        return Fate.WANTED, f"wanted, {why.text if why else action.reason}"
    return Fate.DIFFERS, f"differs from the inventory ({action.reason})"
