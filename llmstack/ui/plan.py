"""What a run would do, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from llmstack.domain.plan import Action, ActionKind, FieldChange, Price
from llmstack.domain.units import duration, memory, size
from llmstack.ui.clean import line, prose
from llmstack.ui.table import table
from llmstack.ui.text import Text

_STYLES = {"+": "green", "~": "yellow", "-": "red", "=": "dim", "!": "red"}
_KINDS = {
    "+": (ActionKind.CREATE, ActionKind.START, ActionKind.FETCH),
    "~": (ActionKind.REPLACE, ActionKind.RESTART, ActionKind.LOAD, ActionKind.BACKUP),
    "-": (ActionKind.STOP, ActionKind.UNLOAD, ActionKind.REMOVE, ActionKind.TIDY),
    "=": (ActionKind.KEEP,),
    "!": (ActionKind.REFUSED, ActionKind.UNREACHABLE),
}
_MARKS = {kind: mark for mark, kinds in _KINDS.items() for kind in kinds}

_WEIGHS = (ActionKind.CREATE, ActionKind.REPLACE, ActionKind.RESTART, ActionKind.REMOVE)
_IN_FLIGHT = {None: "requests in flight: unknown", 0: "no request in flight", 1: "1 request in flight"}


def plan_lines(actions: Sequence[Action], *, diff: bool, checked: bool) -> Iterator[Text]:
    """One row per action, with `diff` each differing field below it, then the count; `checked` when that is
    all that happens."""
    rows = table([_row(action) for action in actions])
    for action, row in zip(actions, rows, strict=True):
        yield prose(row)
        if action.error and action.error.hint:
            yield line((f"      {action.error.hint}", "dim"))
        if diff:
            yield from table([field_cells(change) for change in action.changes])
    counts = Counter(action.kind for action in actions)
    parts = ", ".join(f"{counts[kind]} {kind.value}" for kind in ActionKind if counts[kind])
    yield prose((f"{len(actions)} looked at: {parts or 'nothing'}.{' Nothing was changed.' * checked}", "bold"))


def _row(action: Action) -> list[Text]:
    mark = _MARKS[action.kind]
    style = _STYLES[mark]
    why = line(action.reason.removeprefix(f"{action.target}: "), (", ".join(("", *_besides(action))), "dim"))
    return [line((mark, style), f" {action.target}"), line((action.kind.value, style)), why]


def _besides(action: Action) -> Iterator[str]:
    """What it costs: what is away and for how long, who goes without, what is fetched."""
    price = action.price or Price()
    if action.kind.takes_down and (away := f"{_models(action)}{_time_away(action, price)}"):
        yield away
    if price.in_flight is not None or (action.price and action.kind.takes_down and _runs(action)):
        yield _IN_FLIGHT.get(price.in_flight, f"{price.in_flight} requests in flight")
    if price.dependants:
        yield f"{', '.join(price.dependants)} go{'es' if len(price.dependants) == 1 else ''} without it"
    if price.fetch_bytes:
        yield f"{size(price.fetch_bytes)} to fetch"
    elif action.needs:
        yield f"{', '.join(need.name for need in action.needs)} to fetch, size unknown"
    if action.price and action.kind in _WEIGHS and not action.model:
        yield f"memory {_memory(action, price)}"


def _runs(action: Action) -> bool:
    return action.observed is not None and action.observed.running


def _memory(action: Action, price: Price) -> str:
    """What it may use, before and after; what has no limit may use any."""
    limits = (price.memory_before_bytes, price.memory_after_bytes)
    before, after = (memory(limit) if limit else "unknown (no limit)" for limit in limits)
    told = {ActionKind.CREATE: (after,), ActionKind.REMOVE: (before, "0")}.get(action.kind, (before, after))
    return " → ".join(dict.fromkeys(told))


def _models(action: Action) -> str:
    """The models that it takes along; its own name goes without saying."""
    models = [model.name for model in action.placement.models] if action.placement and not action.model else []
    return f"takes down {', '.join(models)}" if models and models != [action.target.name] else ""


def _time_away(action: Action, price: Price) -> str:
    if action.kind not in (ActionKind.REPLACE, ActionKind.RESTART):
        return ""
    time = "an unknown time" if price.downtime_s is None else f"about {duration(price.downtime_s)}"
    return f" for {time}" if _models(action) else f"away for {time}"


def field_cells(change: FieldChange) -> list[Text]:
    """A field that differs, as cells of a row."""
    sized = change.field.endswith("_bytes")
    told = [memory(int(text)) if sized and text.isdecimal() else text for text in (change.before, change.after)]
    return [line("      ", (change.label, "bold")), line((told[0], "red"), " → ", (told[1], "green"))]
