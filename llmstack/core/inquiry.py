"""Ask why: put together what status, health, the log, the store and the inventory know of each target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from llmstack.core.actions import IN_IT
from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.ladder import Climb
from llmstack.core.observe import Observed
from llmstack.core.remedy import remedy
from llmstack.core.report import last_ladder
from llmstack.core.select import Picked
from llmstack.domain.clean import clean, masked
from llmstack.domain.inquiry import Inquiry, Remedy
from llmstack.domain.instance import State
from llmstack.domain.ladder import Ladder, Rung, Why
from llmstack.domain.outcome import Outcome
from llmstack.domain.report import StatusRow
from llmstack.domain.secret import revealed
from llmstack.domain.service import Inventory, Placement
from llmstack.domain.setting import Setting
from llmstack.domain.stored import StoredLadder
from llmstack.errors import LlmstackError, StoreError
from llmstack.protocols import Ledger

BEFORE, AFTER = 2, 3
"""Lines shown around the one that explains a failure."""
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
        mine = [row for row in rows if (row.service, row.host) == (wanted.target.name, wanted.target.host)]
        for outcome in outcomes:
            if not outcome.action or outcome.action.placement is not wanted.placement:
                continue
            row = next((row for row in mine if row.target == outcome.target), mine[0])
            broken = None if row.state in RUNNING else self.observed.told(wanted.target).broken
            refused = None if broken else self._refused(outcome.ladder)
            last = None if broken or refused else self._last(outcome)
            fresh = None if broken else refused or self._survived(wanted, row, outcome.ladder)
            ladder = last.ladder if last else fresh
            why = ladder.why if ladder else None
            key = why.key if why else _key(broken or outcome.error)
            yield Inquiry(
                target=outcome.target,
                row=row,
                ladder=ladder,
                climbed_at=last.at if last else None,
                excerpt=() if not why else tuple(self._excerpt(wanted, why)),
                remedy=self._remedy(wanted, key) if key else None,
                error=broken or outcome.error,
            )
        for row in mine:
            if not row.enabled:
                remedy = self._remedy(wanted, "enabled") if row.target == wanted.target else None
                yield Inquiry(target=row.target, row=row, remedy=remedy)

    def _remedy(self, wanted: Wanted, key: str) -> Remedy:
        """What was decided for `auto` counts as it was in force."""
        placement, there = wanted.placement, self.observed.find(wanted)
        if wanted.spec and wanted.spec.undecided and there and there.spec:
            wanted = replace(wanted, spec=there.spec)
        return remedy(wanted, key, self.written(placement), self.inventory.on(placement).positions)

    def _last(self, outcome: Outcome) -> StoredLadder | None:
        """The climb that is remembered, of what is not there now, or was stopped because it failed."""
        fallen = outcome.ladder.fallen if outcome.ladder else None
        if self.memory is None or fallen not in (Rung.CREATED, Rung.RUNNING):
            return None
        last = last_ladder(self.memory, outcome.target)
        return last if last and (fallen is Rung.CREATED or not last.ladder.ok) else None

    def _refused(self, ladder: Ladder | None) -> Ladder | None:
        """With why the last run could not make it, of what is not there, if so."""
        if self.memory is None or ladder is None or ladder.fallen is not Rung.CREATED:
            return None
        with suppress(StoreError):
            items = (item for run in self.memory.runs(None, [str(ladder.target)]) for item in run.items)
            item = next((item for item in items if (item.get("action") or {}).get("action", "keep") != "keep"), {})
            if (error := item.get("error")) and not item.get("rungs"):
                why = Why(summary=f"its last start failed: {error['message']}", do=error["hint"])
                return replace(ladder, why=why)
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
        try:
            lines = self.context.engine(wanted).logs(wanted.container_name)
            for number, text in enumerate(islice(lines, first - 1, why.log_line + AFTER), first):
                yield number, masked(clean(text), secrets)
        except LlmstackError:
            return


def _key(error: LlmstackError | None) -> str | None:
    """The key of the inventory that what keeps something from starting is about."""
    data = error.data if error else {}
    return next((key for fact, key in (("port", "port"), ("path", "source")) if fact in data), None)
