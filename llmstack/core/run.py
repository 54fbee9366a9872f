"""One run that may change something: look, plan, lock, look again, apply, remember."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from llmstack.core.apply import apply, by_target, check_only, clashed
from llmstack.core.context import Context
from llmstack.core.interrupt import untorn
from llmstack.core.locks import held, refuse_held, to_hold
from llmstack.core.remember import Recorder, remember
from llmstack.domain.event import EventType
from llmstack.domain.outcome import Outcome, RunResult
from llmstack.domain.plan import Plan
from llmstack.domain.target import Target
from llmstack.errors import StoreError
from llmstack.protocols import Ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is to be done: `look` observes and plans, `ledger` opens the store once there is something to note, and what
    the user `called` it, if it is not the verb."""

    context: Context
    look: Callable[[], Plan]
    ledger: Callable[[], Ledger]
    called: str | None = None
    command: str = ""
    lock_wait_s: float = 0.0

    def check(self) -> RunResult:
        """What would be done; nothing is changed, and nothing noted."""
        return self.context.result(check_only(self._plan()))

    def carry_out(self) -> RunResult:
        """Do it. Raises StoreError before anything is changed; later the store only warns. Raises AbandonedRunError."""
        context, plan = self.context, self._plan()
        ledger = self.ledger()
        run_id = ledger.begin_run(self.called or context.task, self.command)
        context.begun = ledger.begun()
        context.known = {(row.host, row.container_name, row.name): row for row in ledger.models()}
        context.sink = Recorder(context.sink, ledger, run_id)
        return untorn(partial(self._carry_out, plan, run_id, ledger), context)

    def _carry_out(self, plan: Plan, run_id: str, ledger: Ledger) -> RunResult:
        context = self.context
        outcomes = self._apply(plan)
        result = context.result(by_target(outcomes), run_id)
        note(result, outcomes, context, ledger)
        return result

    def _plan(self) -> Plan:
        plan = self.look()
        if any(plan.changes):
            from llmstack.core.price import priced

            plan = priced(plan, self.context, self._start_s)
        self.context.emit(EventType.PLAN, plan=plan)
        return plan

    def _start_s(self, target: Target, digest: str) -> float | None:
        """As the store knows it; a plan needs no store."""
        try:
            return self.ledger().start_s(target, digest)
        except StoreError:
            return None

    def _apply(self, plan: Plan) -> tuple[Outcome, ...]:
        """What `plan` wants, by what is there once the locks are held. A name that was taken in between means one more
        look: somebody without our lock is at work."""
        context, down = self.context, self.context.task == "down"
        if plan.changes:  # their verbs are imported while the lock is made
            threading.Thread(target=import_module, args=("llmstack.core.verbs",), name="verbs", daemon=True).start()
        with held(to_hold(plan, context), context, context.stack or "", self.lock_wait_s) as refused:
            if plan.changes:
                plan = refuse_held(self.look(), refused)
            outcomes = apply(plan, context, down=down)
            again = clashed(outcomes)
            if again and not context.stopped:
                actions = (action for action in refuse_held(self.look(), refused).actions if action.target in again)
                more = apply(Plan(tuple(actions)), context, down=down)
                outcomes = (*(outcome for outcome in outcomes if outcome.target not in again), *more)
        return outcomes


def note(result: RunResult, outcomes: Sequence[Outcome], context: Context, ledger: Ledger) -> None:
    """What was done stands, even if it cannot be noted."""
    try:
        remember(outcomes, context, ledger)
        if result.run_id:
            ledger.end_run(result.run_id, result)
    except StoreError as error:
        not_noted(error, context)


def not_noted(error: StoreError, context: Context) -> None:
    """Warn of a store that does not take what happened."""
    context.warn(f"not noted in the store: {error.message}")
