"""What a run would do, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.text import Text

from llmstack.domain.plan import Action, ActionKind, FieldChange
from llmstack.ui.clean import line
from llmstack.ui.table import table
from llmstack.ui.units import size

_MARKS = {
    ActionKind.CREATE: ("+", "green"),
    ActionKind.START: ("+", "green"),
    ActionKind.FETCH: ("+", "green"),
    ActionKind.REPLACE: ("~", "yellow"),
    ActionKind.RESTART: ("~", "yellow"),
    ActionKind.STOP: ("-", "red"),
    ActionKind.LOAD: ("~", "yellow"),
    ActionKind.UNLOAD: ("-", "red"),
    ActionKind.REMOVE: ("-", "red"),
    ActionKind.KEEP: ("=", "dim"),
    ActionKind.REFUSED: ("!", "red"),
    ActionKind.UNREACHABLE: ("!", "red"),
}
_TAKES_DOWN = (ActionKind.REPLACE, ActionKind.RESTART, ActionKind.STOP, ActionKind.UNLOAD, ActionKind.REMOVE)


def plan_lines(actions: Sequence[Action], *, diff: bool, checked: bool) -> Iterator[Text]:
    """One row per action, with `diff` each differing field below it, then the count; `checked` when that is
    all that happens."""
    rows = table([_row(action) for action in actions])
    for action, row in zip(actions, rows, strict=True):
        yield row
        if action.error and action.error.hint:
            yield line((f"      {action.error.hint}", "dim"))
        if diff:
            yield from table([_fields(change) for change in action.changes])
    counts = Counter(action.kind for action in actions)
    parts = ", ".join(f"{counts[kind]} {kind.value}" for kind in ActionKind if counts[kind])
    yield line((f"{len(actions)} looked at: {parts or 'nothing'}.{' Nothing was changed.' * checked}", "bold"))


def _row(action: Action) -> list[Text]:
    mark, style = _MARKS[action.kind]
    why = line(action.reason, (", ".join(("", *_besides(action))), "dim"))
    return [line((mark, style), f" {action.target}"), line((action.kind.value, style)), why]


def _besides(action: Action) -> Iterator[str]:
    """What comes along with it."""
    models = [model.name for model in action.placement.models] if action.placement else []
    if action.kind in _TAKES_DOWN and models and models != [action.target.name]:
        yield f"takes down {', '.join(models)}"
    sizes = [need.size_bytes for need in action.needs if need.size_bytes is not None]
    if sizes and len(sizes) == len(action.needs):
        yield f"{size(sum(sizes))} to fetch"
    elif action.needs:
        yield f"{', '.join(need.name for need in action.needs)} to fetch"


def _fields(change: FieldChange) -> list[Text]:
    return [line("      ", (change.field, "bold")), line((change.before, "red"), " → ", (change.after, "green"))]
