"""What a run would do, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.ui.clean import clean
from llmstack.ui.console import Streams
from llmstack.ui.units import size

_MARKS = {
    ActionKind.CREATE: ("+", "green"),
    ActionKind.START: ("+", "green"),
    ActionKind.FETCH: ("+", "green"),
    ActionKind.REPLACE: ("~", "yellow"),
    ActionKind.STOP: ("-", "red"),
    ActionKind.REMOVE: ("-", "red"),
    ActionKind.KEEP: ("=", "dim"),
    ActionKind.REFUSED: ("!", "red"),
    ActionKind.UNREACHABLE: ("!", "red"),
}
_TAKES_DOWN = (ActionKind.REPLACE, ActionKind.STOP, ActionKind.REMOVE)


def plan_lines(plan: Plan, streams: Streams, *, diff: bool, checked: bool) -> Iterator[Text]:
    """One row per action, with `diff` each differing field below it, then the count; `checked` when that is
    all that happens."""
    names = max((len(str(action.target)) for action in plan.actions), default=0)
    reasons = max((len(action.reason) for action in plan.actions if _notes(action)), default=0)
    for action in plan.actions:
        yield _row(action, names, reasons)
        if action.error and action.error.hint:
            yield Text(" " * 6 + clean(streams.spell(action.error.hint)), "dim")
        if diff:
            yield from _changes(action)
    yield Text(f"{_count(plan)} Nothing was changed." if checked else _count(plan), "bold")


def _row(action: Action, names: int, reasons: int) -> Text:
    mark, style = _MARKS[action.kind]
    line = Text.assemble((mark, style), f" {clean(str(action.target)):<{names}}   ")
    if action.kind in (ActionKind.REFUSED, ActionKind.UNREACHABLE):
        return line.append(f"{action.kind.value}: {clean(action.reason)}", style)
    line.append(f"{action.kind.value:<7}   ", style).append(f"{clean(action.reason):<{reasons}}   ")
    line.append(_notes(action), "dim").rstrip()
    return line


def _notes(action: Action) -> str:
    notes = []
    models = [model.name for model in action.placement.models] if action.placement else []
    if action.kind in _TAKES_DOWN and models and models != [action.target.name]:
        notes.append(f"takes down {clean(', '.join(models))}")
    if action.needs:
        notes.append(_fetches(action))
    return ", ".join(notes)


def _fetches(action: Action) -> str:
    sizes = [need.size_bytes for need in action.needs]
    known = [count for count in sizes if count is not None]
    if len(known) == len(sizes):
        return f"{size(sum(known))} to fetch"
    names = ", ".join(need.name for need in action.needs)
    return f"{clean(names)} to fetch"


def _changes(action: Action) -> Iterator[Text]:
    fields = max((len(change.field) for change in action.changes), default=0)
    for change in action.changes:
        line = Text.assemble("      ", (f"{clean(change.field):<{fields}}   ", "bold"))
        line.append(clean(change.before), "red").append(" → ").append(clean(change.after), "green")
        yield line


def _count(plan: Plan) -> str:
    counts = Counter(action.kind for action in plan.actions)
    parts = [f"{counts[kind]} {kind.value}" for kind in ActionKind if counts[kind]]
    return f"{len(plan.actions)} looked at{': ' if parts else ''}{', '.join(parts)}."
