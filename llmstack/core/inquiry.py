"""Ask why: put together what status, health, the log, the store and the inventory know of each target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from llmstack.core.actions import IN_IT
from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.diff import changes
from llmstack.core.history import last_work
from llmstack.core.ladder import Climb
from llmstack.core.observe import Observed
from llmstack.core.remedy import remedy
from llmstack.core.report import last_ladder
from llmstack.core.select import Picked
from llmstack.core.why import explain
from llmstack.domain.clean import clean, masked
from llmstack.domain.footprint import gguf_footprint
from llmstack.domain.inquiry import Inquiry, Remedy
from llmstack.domain.instance import State
from llmstack.domain.ladder import Ladder, Rung, Why, rung_of, why_of
from llmstack.domain.outcome import Outcome
from llmstack.domain.plan import ActionKind, FieldChange
from llmstack.domain.report import StatusRow
from llmstack.domain.resources import AUTO
from llmstack.domain.secret import revealed
from llmstack.domain.service import Inventory, Placement
from llmstack.domain.setting import Setting
from llmstack.domain.stored import StoredRun
from llmstack.errors import LlmstackError, StoreError
from llmstack.protocols import Ledger

Climbed = tuple[Ladder, float | None]
"""A climb, and when it was; None is now."""
BEFORE, AFTER = 2, 3
"""Lines shown around the one that explains a failure."""
_KEYS = {"port": "port", "path": "source", "gpu": "resources.gpus"}
SURVIVED = "It is well again; neither its engine nor its log tells why it ended."
RUNNING = (State.STARTING, State.LOADING, State.READY, State.DEGRADED)


@dataclass(frozen=True, slots=True)
class Asker:
    """`memory` is None where the store cannot be read; `written` tells what stands in the inventory for a placement."""

    context: Context
    memory: Ledger | None
    written: Callable[[Placement], Sequence[Setting]]
    inventory: Inventory
    observed: Observed

    def ask(self, item: Picked, rows: Sequence[StatusRow], outcomes: Sequence[Outcome]) -> Iterator[Inquiry]:
        """One page for each of `outcomes` that is of this placement, each with its own of `rows`, or the first
        of the placement; and for each row of what is off. What keeps it from starting now goes before what once did."""
        wanted = item.wanted
        names = (wanted.target.name, wanted.target.host)
        mine = [replace(row, stack=self.context.stack) for row in rows if (row.service, row.host) == names]
        for outcome in outcomes:
            if not outcome.action or outcome.action.placement is not wanted.placement:
                continue
            row = next((row for row in mine if row.target == outcome.target), mine[0])
            wish = self._wish(wanted)
            broken = None if row.state in RUNNING and not wish else self.observed.told(wanted.target).broken
            refused = None if broken else self._refused(wanted, outcome.ladder, wish)
            last = None if broken or refused else self._last(outcome)
            fresh = self._survived(wanted, row, outcome.ladder) if not (broken or refused or last) else None
            ladder, at = refused or last or (fresh, None)
            why = ladder.why if ladder else None
            key = why.key if why else _key(broken or outcome.error)
            yield Inquiry(
                target=outcome.target,
                row=row,
                ladder=ladder,
                climbed_at=at,
                excerpt=() if not why else tuple(self._excerpt(wanted, why)),
                remedy=self._remedy(wanted, key, why.summary if why else "") if key else None,
                error=broken or outcome.error,
            )
        for row in mine:
            if not row.enabled:
                remedy = self._remedy(wanted, "enabled") if row.target == wanted.target else None
                yield Inquiry(target=row.target, row=row, remedy=remedy)

    def _remedy(self, wanted: Wanted, key: str, told: str = "") -> Remedy | None:
        """What was decided for `auto` counts as it was in force."""
        placement, there = wanted.placement, self.observed.find(wanted)
        if wanted.spec and wanted.spec.undecided and there and there.spec:
            wanted = replace(wanted, spec=there.spec)
        most = gguf_footprint(wanted.spec.weights, 0) if wanted.spec else None
        trained, positions = most.context if most else None, self.inventory.on(placement).positions
        return remedy(wanted, key, self.written(placement), positions, told=told, trained=trained)

    def _wish(self, wanted: Wanted) -> tuple[FieldChange, ...]:
        """How what is there differs from what is wanted."""
        there = self.observed.find(wanted)
        return changes(wanted.spec, there.spec) if wanted.spec and there and there.spec else ()

    def _last(self, outcome: Outcome) -> Climbed | None:
        """The climb that is remembered, of what is not there now, or was stopped because it failed."""
        fallen = outcome.fallen
        if self.memory is None or fallen not in (Rung.CREATED, Rung.RUNNING):
            return None
        last = last_ladder(self.memory, outcome.target)
        return (last.ladder, last.at) if last and (fallen is Rung.CREATED or not last.ladder.ok) else None

    def _refused(self, wanted: Wanted, ladder: Ladder | None, wish: Sequence[FieldChange]) -> Climbed | None:
        """By which run it was taken down, of what is not there, or why the last one could not make it, or undid its
        `wish`."""
        if self.memory is None or ladder is None or not (wish or ladder.fallen is Rung.CREATED):
            return None
        names = (str(ladder.target), str(wanted.target))
        with suppress(StoreError):
            if worked := last_work(self.memory.runs(None, names), names):
                return _told_by(*worked, ladder, wish)
        return None

    def _survived(self, wanted: Wanted, row: StatusRow, ladder: Ladder | None) -> Ladder | None:
        """With what happened meanwhile to one that is well: it was brought back, or a process in it starved."""
        there = self.observed.find(wanted)
        if not (ladder and ladder.ok and there):
            return ladder
        with suppress(LlmstackError):
            starved = there.out_of_memory or self.context.engine(wanted).starved(there.container_name)
            there = replace(there, out_of_memory=starved, restarts=row.restarts)
        if not (there.restarts or there.out_of_memory):
            return ladder
        climb = Climb(context=self.context, wanted=wanted, target=wanted.target, there=there)
        why = climb.why(there, row.detail or IN_IT, f"llmstack logs --service {wanted.target.name}")
        return replace(ladder, why=replace(why, meaning=why.meaning or SURVIVED, last_lines=()))

    def _excerpt(self, wanted: Wanted, why: Why) -> Iterator[tuple[int, str]]:
        if why.log_line is None or not wanted.container_name:
            return
        first, secrets = max(1, why.log_line - BEFORE), revealed(wanted.spec.secrets.values()) if wanted.spec else ()
        with suppress(LlmstackError):
            lines = self.context.engine(wanted).logs(wanted.container_name)
            for number, text in enumerate(islice(lines, first - 1, why.log_line + AFTER), first):
                yield number, masked(clean(text), secrets)


def _told_by(run: StoredRun, item: Mapping[str, Any], ladder: Ladder, wish: Sequence[FieldChange]) -> Climbed | None:
    """PURE: `ladder` with what came of the last work of a run on it, if that says why it is as it is."""
    error, rungs = item.get("error"), tuple(map(rung_of, item.get("rungs", ())))
    if not error and item["action"]["action"] == ActionKind.REMOVE and ladder.why:
        who = f" of {run.user}@{run.controller}" if run.controller else ""
        summary = f"taken down on purpose, by run {run.id} ({run.task}){who}"
        return replace(ladder, why=replace(ladder.why, summary=summary)), None
    if not error or (rungs and not wish) or (wish and not _is_of(item, wish)):
        return None
    if rungs:  # the log that its lines were counted in went with it
        return replace(ladder, rungs=rungs, why=replace(why_of(item["why"]), log_line=None)), run.ended_at
    told = f"its last start failed: {error['message']}"
    return replace(ladder, why=Why(summary=told, do=error["hint"], key=explain(None, [told], (), "").key)), None


def _is_of(item: Mapping[str, Any], wish: Sequence[FieldChange]) -> bool:
    """Whether a run undid the change that is still wished; what it had decided itself is not told again."""
    tried = {change["field"]: change["after"] for change in item["diff"]}
    same = all(tried.get(change.field) == change.after or change.after == AUTO for change in wish)
    return same and bool(item["error"].get("rolled_back"))


def _key(error: LlmstackError | None) -> str | None:
    """The key of the inventory that what keeps something from starting is about."""
    data = error.data if error else {}
    return next((key for fact, key in _KEYS.items() if fact in data), None)
