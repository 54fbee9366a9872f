"""What was done before: runs in short, one in full, and what was done with some models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any, cast

from llmstack.domain.clean import block
from llmstack.domain.event import Event
from llmstack.domain.ladder import rung_of
from llmstack.domain.outcome import Status
from llmstack.domain.plan import ActionKind, FieldChange
from llmstack.domain.stored import StoredRun
from llmstack.domain.units import UNKNOWN, millis, moment
from llmstack.errors import SIGINT
from llmstack.ui.clean import line
from llmstack.ui.plan import field_cells
from llmstack.ui.rungs import rung_lines, rung_text
from llmstack.ui.table import table
from llmstack.ui.text import TYPED, Text

HEAD = ("RUN", "WHEN", "TASK", "OUTCOME", "TOOK", "WHO", "COMMAND")
ACTION_HEAD = ("RUN", "WHEN", "TARGET", "ACTION", "STATUS", "TOOK", "WHO")
NOT_ENDED = "not ended"
LEAST_CELLS = 20
"""What the last column needs to be worth showing."""

_STYLES = {Status.OK.value: "green", Status.CHANGED.value: "yellow", Status.SKIPPED.value: "cyan", NOT_ENDED: "yellow"}


def history_lines(runs: Sequence[StoredRun], width: int) -> Iterator[Text]:
    """One row per run."""
    rows = [_bold(HEAD)]
    for run in runs:
        plain = (run.id, moment(run.started_at), run.task, _outcome(run), _took(run.ms), _who(run))
        rows.append([*map(line, plain), line((run.command, TYPED))])
    yield from table(rows, width, least=LEAST_CELLS) if runs else ()


def action_lines(runs: Sequence[StoredRun], width: int) -> Iterator[Text]:
    """One row per action, with its reason and each field that differed below it."""
    found = [(run, item) for run in runs for item in run.items]
    rows = [[line(run.id), line(moment(run.started_at)), *_cells(item, run), line(_who(run))] for run, item in found]
    head, *told = table([_bold(ACTION_HEAD), *rows], width)
    yield head
    for (_, item), row in zip(found, told, strict=True):
        yield row
        yield from _about(item, width)


def run_lines(run: StoredRun, width: int) -> Iterator[Text]:
    """All that is known of a run."""
    facts = {
        "run": run.id,
        "when": moment(run.started_at, seconds=True),
        "who": _who(run),
        "command": run.command or UNKNOWN,
        "took": _took(run.ms),
        "outcome": _outcome(run),
    }
    for name, fact in facts.items():
        yield from _labelled(f"{name:<9}", fact, width)
    yield Text()
    for item, row in zip(run.items, table([_cells(item, run) for item in run.items], width), strict=True):
        yield row
        yield from _about(item, width, item.get("rungs") or ())
    if run.events:
        yield Text()
        yield from table(list(map(_event, run.events)), width, least=LEAST_CELLS)


def _bold(names: Sequence[str]) -> list[Text]:
    return [line((name, "bold")) for name in names]


def _outcome(run: StoredRun) -> str:
    """`1 changed, 2 ok`; the worst comes first."""
    counts = run.counts
    told = [f"{counts[status.value]} {status.value}" for status in reversed(Status) if counts[status.value]]
    if run.ended_at is None:
        told.append(_unended(run))
    elif run.exit_code == SIGINT and not counts[Status.INTERRUPTED.value]:
        told.append("interrupted")
    return ", ".join(told) or ("failed" if run.exit_code else "nothing to do")


def _unended(run: StoredRun) -> str:
    return "killed" if run.killed else NOT_ENDED


def _took(ms: float | None) -> str:
    return UNKNOWN if ms is None else millis(ms)


def _who(run: StoredRun) -> str:
    return f"{run.user or UNKNOWN}@{run.controller}" if run.controller else UNKNOWN


def _cells(item: Mapping[str, Any], run: StoredRun) -> list[Text]:
    """Target, action, status and time of an outcome; what was only looked at has no reason to be kept."""
    action, status = item.get("action") or {}, item["status"] or _unended(run)
    looked = action.get("action") == ActionKind.KEEP and not action.get("reason")
    return [
        line((item["target"], "bold")),
        line(run.task if looked else action.get("action", UNKNOWN)),
        line((status, _STYLES.get(status, "red"))),
        line(_took(item.get("ms"))),
    ]


def _about(item: Mapping[str, Any], width: int, rungs: Sequence[Mapping[str, Any]] = ()) -> Iterator[Text]:
    """Why it was done, what differed, how far it climbed, and what went wrong."""
    action, error, why = (item.get(key) or {} for key in ("action", "error", "why"))
    reasons = dict.fromkeys(filter(None, (action.get("reason"), "" if error else item.get("reason"))))
    yield from _labelled("  why   ", " · ".join(reasons), width)
    differed = action.get("changes") if action.get("action") != "create" else None
    yield from table([field_cells(FieldChange(**change)) for change in differed or ()])
    yield from rung_lines(map(rung_of, rungs), width)
    yield from _labelled("  error ", "\n".join(filter(None, (error.get("message"), why.get("meaning")))), width)
    yield from _labelled("  do    ", error.get("hint") or "", width)
    yield from _labelled("  log   ", "\n".join(why.get("last_lines", ())) if rungs else "", width)


def _labelled(label: str, text: str, width: int) -> Iterator[Text]:
    """`text` beside its label, folded to fit in `width`."""
    room, style = max(LEAST_CELLS, width - len(label)), TYPED * label.startswith("command")
    for row in (part for told in block(text).splitlines() for part in wrap(told, room)):
        yield line((label, "bold"), (row, style))
        label = " " * len(label)


def _event(event: Event) -> list[Text]:
    data = cast("Mapping[str, Any]", event.data)
    told = line(event.message)
    if rung := data.get("rung"):
        told = rung_text(rung_of(rung))
    elif outcome := data.get("outcome"):
        told = line(f"{outcome['status']}  {event.message}")
    when = line((moment(event.ts, seconds=True).split()[-1], "dim"))
    return [when, line(event.type.value), line(str(event.target or UNKNOWN)), told]
