"""The composition root: builds engines, store, types and GPUs, and offers the verbs that tasks and scripts share."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from llmstack.core import talk
from llmstack.core.apply import apply, by_target, check_only
from llmstack.core.context import Context
from llmstack.core.desired import Wanted, desire
from llmstack.core.facts import with_facts
from llmstack.core.health import health
from llmstack.core.locks import held
from llmstack.core.observe import Observed, Place, observe, places_of
from llmstack.core.plan import plan_down, plan_pull, plan_up
from llmstack.core.remember import remember
from llmstack.core.report import status_report, strangers_report, sync_report
from llmstack.core.select import Picked, pick
from llmstack.domain.clock import SystemClock
from llmstack.domain.event import EventType
from llmstack.domain.host import Host
from llmstack.domain.instance import Instance
from llmstack.domain.outcome import Outcome, RunResult
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.report import StatusReport, SyncReport
from llmstack.domain.selection import Selection, Settings
from llmstack.domain.server import ChatChunk
from llmstack.domain.service import Inventory
from llmstack.domain.target import Target
from llmstack.engines.book import EngineBook
from llmstack.errors import LlmstackError, NoInventoryError, StoreError
from llmstack.gpu.nvml import NvmlReader
from llmstack.modeltype.registry import Registry
from llmstack.protocols import Clock, Sink

if TYPE_CHECKING:
    from llmstack.store.store import Store

Planner = Callable[[Sequence[Picked], Observed], Plan]


class App:
    """One inventory and what serves it. Verbs return values; what happens on the way is told to `sink`."""

    def __init__(self, settings: Settings, sink: Sink, *, clock: Clock | None = None) -> None:
        self.settings, self.sink = settings, sink
        self.clock = clock or SystemClock()
        self.engines = EngineBook()
        self.registry = Registry()
        self._store: Store | None = None

    def close(self) -> None:
        """Let go of engines and store."""
        self.engines.close()
        if self._store:
            self._store.close()

    @cached_property
    def inventory(self) -> Inventory:
        """What is wanted. Raises ConfigError."""
        from llmstack.inventory import load

        return load(self.settings.inventory, environ=os.environ)

    @cached_property
    def wanted(self) -> tuple[Wanted, ...]:
        """Every placement, resolved by its type. Raises InventoryError."""
        return desire(self.inventory, self.registry)

    @property
    def store(self) -> Store:
        """What is remembered, opened when first needed. Raises StoreError."""
        from llmstack.store import open_store

        if self._store is None:
            self._store = open_store(self.settings.store, os.environ)
            if self._store.notice:
                self.context("store").emit(EventType.WARNING, message=self._store.notice)
        return self._store

    # -- verbs that change -----------------------------------------------------------------------------------------

    def up(self, selection: Selection, *, check: bool = False, wait: bool = True) -> RunResult:
        """Make what is picked true, with all it depends on, and prove that it answers."""
        picked = pick(self.wanted, selection, dependencies=True)
        return self._run("up", picked, plan_up, check=check, wait=wait)

    def pull(self, selection: Selection, *, check: bool = False) -> RunResult:
        """Fetch models, weights and images; start nothing."""
        return self._run("pull", pick(self.wanted, selection, dependencies=False), plan_pull, check=check)

    def down(self, selection: Selection, *, check: bool = False, orphans: bool = False) -> RunResult:
        """Stop and remove what is picked; with `orphans` also what the inventory knows no more."""
        picked = pick(self.wanted, selection, dependencies=False)

        def planner(picked: Sequence[Picked], observed: Observed) -> Plan:
            return plan_down(picked, observed, self._orphans(observed) if orphans else ())

        return self._run("down", picked, planner, check=check)

    def _run(
        self, task: str, picked: Sequence[Picked], planner: Planner, *, check: bool = False, wait: bool = True
    ) -> RunResult:
        began = self.clock.monotonic()
        context = self.context(task, wait=wait)
        plan = planner(picked, self._observe(picked, context))
        context.emit(EventType.PLAN, plan=plan)
        if check:
            return RunResult(task=task, outcomes=check_only(plan), ms=self._since_ms(began))
        run_id = self.store.begin_run(task, self.settings.command)
        with self._locked(plan, context) as refused:
            if plan.changes:
                plan = _refuse(planner(picked, self._observe(picked, context)), refused)
            outcomes, interrupted = apply(plan, context, down=task == "down")
        result = RunResult(
            task=task,
            outcomes=by_target(outcomes),
            ms=self._since_ms(began),
            run_id=run_id,
            interrupted=interrupted,
        )
        self._remember(run_id, result, outcomes, context)
        return result

    @contextmanager
    def _locked(self, plan: Plan, context: Context) -> Iterator[dict[Place, LlmstackError]]:
        places = {place: self._host(place[0]) for action in plan.changes if (place := _place_of(action))}
        owner = f"{getpass.getuser()}@{socket.gethostname()} {context.task} (pid {os.getpid()})"
        with held(places, context, self.inventory.stack, owner, self.settings.lock_wait_s) as refused:
            yield refused

    def _remember(self, run_id: str, result: RunResult, outcomes: Sequence[Outcome], context: Context) -> None:
        """What was done stands, even if it cannot be noted."""
        try:
            remember(outcomes, context, self.store)
            self.store.end_run(run_id, result)
        except StoreError as error:
            context.emit(EventType.WARNING, message=f"not noted in the store: {error.message}")

    # -- verbs that only look --------------------------------------------------------------------------------------

    def health(self, selection: Selection, *, deep: bool = False) -> RunResult:
        """Climb the ladder of everything picked that should run; changes nothing on engines and servers."""
        began = self.clock.monotonic()
        picked = pick(self.wanted, selection, dependencies=False)
        context = self.context("health")
        outcomes = health(picked, self._observe(picked, context, facts=False), context, deep=deep)
        result = RunResult(task="health", outcomes=outcomes, ms=self._since_ms(began))
        run_id = self.store.begin_run("health", self.settings.command)
        self._remember(run_id, result, outcomes, context)
        return replace(result, run_id=run_id)

    def status(self, selection: Selection) -> StatusReport:
        """What runs; without an inventory, what serves models on this machine."""
        context = self.context("status")
        try:
            picked = pick(self.wanted, selection, dependencies=False)
        except NoInventoryError:
            if self.settings.inventory:
                raise
            return strangers_report(self.engines, context)
        observed = self._observe(picked, context, facts=False)
        orphans = self._orphans(observed) if selection.everything else ()
        report = status_report(picked, observed, orphans, context, self.store)
        return replace(report, inventory=self.inventory.path)

    def sync(self, *, check: bool = False) -> SyncReport:
        """Compare inventory, store and engines; repair the store, never the engine."""
        context = self.context("sync")
        picked = pick(self.wanted, Selection(), dependencies=False)
        observed = self._observe(picked, context, facts=False)
        return sync_report(self.wanted, observed, self._orphans(observed), context, self.store, check=check)

    def logs(
        self, selection: Selection, *, tail: int | None = None, follow: bool = False
    ) -> Iterator[tuple[Target, str]]:
        """Log lines of what is picked."""
        context = self.context("logs")
        picked = pick(self.wanted, selection, dependencies=False)
        return talk.logs(picked, self._observe(picked, context, facts=False), context, tail=tail, follow=follow)

    def ask(self, selection: Selection, prompt: str, *, max_tokens: int | None = None) -> Iterator[ChatChunk]:
        """A streamed answer of the one model that is picked."""
        context = self.context("ask")
        picked = pick(self.wanted, selection, dependencies=False)
        observed = self._observe(picked, context, facts=False)
        return talk.ask(picked, observed, context, prompt, max_tokens=max_tokens)

    # -- what the verbs share --------------------------------------------------------------------------------------

    def context(self, task: str, *, wait: bool = True) -> Context:
        """A run's context."""
        timeout_s = self.settings.timeout_s
        wanted = () if task == "store" else self._wanted_or_none()
        return Context(
            task=task,
            engine_of=self.engines.get,
            clock=self.clock,
            sink=self.sink,
            gpus=NvmlReader(),
            wanted={item.target: item for item in wanted},
            hosts=self.inventory.hosts if wanted else {},
            forks=self.settings.forks,
            wait=wait,
            deadline=None if timeout_s is None else self.clock.monotonic() + timeout_s,
        )

    def _wanted_or_none(self) -> tuple[Wanted, ...]:
        try:
            return self.wanted
        except NoInventoryError:
            return ()

    def _observe(self, picked: Sequence[Picked], context: Context, *, facts: bool = True) -> Observed:
        places = places_of(item.wanted for item in picked)
        instances, errors = observe(places, self.engines.get, self.inventory.stack, context.forks)
        found = {(row.target, row.engine): row for row in instances}
        observed = Observed(instances=found, errors=errors)
        return with_facts(picked, observed, context) if facts else observed

    def _orphans(self, observed: Observed) -> tuple[Instance, ...]:
        """Instances of the stack whose service the inventory does not have on that host."""
        known = {item.target for item in self.wanted}
        return tuple(there for (target, _), there in observed.instances.items() if target not in known)

    def _host(self, name: str) -> Host:
        return self.inventory.hosts.get(name) or Host(name=name)

    def _since_ms(self, began: float) -> float:
        return (time.monotonic() - began) * 1000 if isinstance(self.clock, SystemClock) else 0.0


def _place_of(action: Action) -> Place | None:
    """Where an action changes something that a lock guards."""
    if action.observed:
        return (action.target.host, action.observed.engine)
    return (action.target.host, action.spec.engine) if action.spec else None


def _refuse(plan: Plan, refused: dict[Place, LlmstackError]) -> Plan:
    """Actions on a place that somebody else holds are refused; the others go on."""
    return Plan(tuple(_refused(action, refused.get(_place_of(action) or ("", ""))) for action in plan.actions))


def _refused(action: Action, error: LlmstackError | None) -> Action:
    if error is None or not action.kind.changes:
        return action
    return replace(action, kind=ActionKind.REFUSED, reason=error.message, error=error)
