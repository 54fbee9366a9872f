"""The composition root: builds engines, store, types and GPUs, and offers the verbs that tasks and scripts share."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from llmstack.core import talk
from llmstack.core.apply import apply, by_target, check_only, clashed
from llmstack.core.context import Context
from llmstack.core.desired import Wanted, desire, fixed_ports, mistakes_of_types_too
from llmstack.core.facts import with_facts
from llmstack.core.health import health
from llmstack.core.locks import held, place_of, refuse_held
from llmstack.core.observe import Observed, Place, elsewhere, observe, places_of, sort_out
from llmstack.core.plan import plan_down, plan_pull, plan_up
from llmstack.core.remember import Recorder, remember
from llmstack.core.report import last_ladder, status_report, strangers_report, sync_report
from llmstack.core.select import Picked, pick
from llmstack.core.status import LastLadder
from llmstack.domain.clock import SystemClock
from llmstack.domain.event import Event, EventType
from llmstack.domain.host import Host
from llmstack.domain.instance import Instance
from llmstack.domain.outcome import Outcome, RunResult
from llmstack.domain.plan import Plan
from llmstack.domain.report import StatusReport, SyncReport
from llmstack.domain.selection import Selection, Settings
from llmstack.domain.server import ChatChunk
from llmstack.domain.service import Inventory
from llmstack.domain.target import Target
from llmstack.engines.book import KINDS, EngineBook
from llmstack.errors import LlmstackError, NoInventoryError, StoreError
from llmstack.gpu.nvml import NvmlReader
from llmstack.modeltype.registry import Registry
from llmstack.protocols import Clock, Sink

if TYPE_CHECKING:
    from llmstack.store.store import Store

EVERYTHING = Selection()
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
        """Every placement, resolved by its type. Raises InventoryError with every mistake at once."""
        with mistakes_of_types_too(self.registry):
            return desire(self.inventory, self.registry)

    @property
    def store(self) -> Store:
        """What is remembered, opened when first needed. Raises StoreError."""
        from llmstack.store import open_store

        if self._store is None:
            self._store = open_store(self.settings.store, os.environ)
            if self._store.notice:
                notice = Event(ts=self.clock.now(), type=EventType.WARNING, task="store", message=self._store.notice)
                self.sink.emit(notice)
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

        return self._run("down", picked, planner, check=check, everywhere=orphans)

    def _run(
        self,
        task: str,
        picked: Sequence[Picked],
        planner: Planner,
        *,
        check: bool = False,
        wait: bool = True,
        everywhere: bool = False,
    ) -> RunResult:
        began = self.clock.monotonic()
        context = self.context(task, wait=wait)

        def look() -> Plan:
            return planner(picked, self._observe(picked, context, everywhere=everywhere))

        plan = look()
        context.emit(EventType.PLAN, plan=plan)
        if check:
            return RunResult(task=task, outcomes=check_only(plan), ms=self._since_ms(began))
        run_id = self.store.begin_run(task, self.settings.command)
        context.sink = Recorder(self.sink, self.store, run_id)
        outcomes, interrupted = self._apply(plan, look, context)
        result = RunResult(
            task=task,
            outcomes=by_target(outcomes),
            ms=self._since_ms(began),
            run_id=run_id,
            interrupted=interrupted,
        )
        self._remember(run_id, result, outcomes, context)
        return result

    def _apply(self, plan: Plan, look: Callable[[], Plan], context: Context) -> tuple[tuple[Outcome, ...], bool]:
        """What `plan` wants, by what is there once the locks are held. A name that was taken in between means one more
        look: somebody without our lock is at work."""
        down = context.task == "down"
        with self._locked(plan, context) as refused:
            if plan.changes:
                plan = refuse_held(look(), refused)
            outcomes, interrupted = apply(plan, context, down=down)
            again = clashed(outcomes)
            if again and not interrupted:
                actions = (action for action in refuse_held(look(), refused).actions if action.target in again)
                more, interrupted = apply(Plan(tuple(actions)), context, down=down)
                outcomes = (*(outcome for outcome in outcomes if outcome.target not in again), *more)
        return outcomes, interrupted

    @contextmanager
    def _locked(self, plan: Plan, context: Context) -> Iterator[dict[Place, LlmstackError]]:
        places = {place: self._host(place[0]) for action in plan.changes if (place := place_of(action))}
        owner = f"{getpass.getuser()}@{socket.gethostname()} {context.task} (pid {os.getpid()})"
        with held(places, context, self.inventory.stack, owner, self.settings.lock_wait_s) as refused:
            yield refused

    def _remember(self, run_id: str, result: RunResult, outcomes: Sequence[Outcome], context: Context) -> None:
        """What was done stands, even if it cannot be noted."""
        try:
            remember(outcomes, context, self.store)
            self.store.end_run(run_id, result)
        except StoreError as error:
            _not_noted(error, context)

    # -- verbs that only look --------------------------------------------------------------------------------------

    def health(self, selection: Selection, *, deep: bool = False) -> RunResult:
        """Climb the ladder of everything picked that should run; changes nothing on engines and servers."""
        began = self.clock.monotonic()
        picked = pick(self.wanted, selection, dependencies=False)
        context = self.context("health")
        outcomes = health(picked, self._observe(picked, context, facts=False), context, deep=deep)
        result = RunResult(task="health", outcomes=outcomes, ms=self._since_ms(began))
        try:
            run_id = self.store.begin_run("health", self.settings.command)
        except StoreError as error:
            _not_noted(error, context)
            return result
        self._remember(run_id, result, outcomes, context)
        return replace(result, run_id=run_id)

    def status(self, selection: Selection) -> StatusReport:
        """What runs; without an inventory, what serves models on this machine."""
        context = self.context("status")
        try:
            picked = pick(self.wanted, selection, dependencies=False)
        except NoInventoryError:
            return strangers_report(self.engines, context, self.registry)
        observed = self._observe(picked, context, facts=False)
        orphans = self._orphans(observed) if selection.everything else ()
        report = status_report(picked, observed, orphans, context, self._last_ladder(context))
        return replace(report, inventory=self.inventory.path)

    def _last_ladder(self, context: Context) -> LastLadder:
        """The last climb of a target, as far as the store can be read: status goes without it."""
        try:
            store = self.store
        except StoreError as error:
            context.emit(EventType.WARNING, message=f"the store cannot be read: {error.message}")
            return lambda _: None
        return partial(last_ladder, store)

    def sync(self, selection: Selection = EVERYTHING, *, check: bool = False) -> SyncReport:
        """Compare inventory, store and engines; repair the store, never the engine."""
        context = self.context("sync")
        picked = pick(self.wanted, selection, dependencies=False)
        observed = self._observe(picked, context, facts=False)
        wanted = [item.wanted for item in picked]
        whole = selection.everything
        orphans = self._orphans(observed) if whole else ()
        return sync_report(wanted, observed, orphans, context, self.store, check=check, whole=whole)

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
        wanted = self._wanted_or_none()
        return Context(
            task=task,
            engine_of=self.engines.get,
            clock=self.clock,
            sink=self.sink,
            gpus=NvmlReader(),
            wanted={item.target: item for item in wanted},
            hosts=self.inventory.hosts if wanted else {},
            stack=self.inventory.stack if wanted else None,
            forks=self.settings.forks,
            wait=wait,
            promised=fixed_ports(wanted),
            deadline=None if timeout_s is None else self.clock.monotonic() + timeout_s,
        )

    def _wanted_or_none(self) -> tuple[Wanted, ...]:
        try:
            return self.wanted
        except NoInventoryError:
            return ()

    def _observe(
        self, picked: Sequence[Picked], context: Context, *, facts: bool = True, everywhere: bool = False
    ) -> Observed:
        """What is there of what is picked; `everywhere` asks hosts too on which nothing is wanted any more."""
        wanted = [item.wanted for item in picked]
        places = places_of(wanted)
        if everywhere:
            places |= {(host.name, host.engine): host for host in self.inventory.hosts.values()}
        rows, errors = self._ask(places, context)
        for host, kind in errors.keys() - places_of(wanted):
            context.emit(EventType.WARNING, message=f"{host} was not asked: {errors[host, kind].message}")
        observed = sort_out(rows, errors)
        if facts:
            more, _ = self._ask(elsewhere(wanted, observed, KINDS), context)
            observed = with_facts(picked, sort_out((*rows, *more), errors), context)
        return observed

    def _ask(
        self, places: Mapping[Place, Host], context: Context
    ) -> tuple[tuple[Instance, ...], Mapping[Place, LlmstackError]]:
        return observe(places, self.engines.get, self.inventory.stack, context.forks)

    def _orphans(self, observed: Observed) -> tuple[Instance, ...]:
        """Instances of the stack whose service the inventory does not have on that host."""
        known = {item.target for item in self.wanted}
        return tuple(sorted((row for row in observed.rows() if row.target not in known), key=lambda row: row.target))

    def _host(self, name: str) -> Host:
        return self.inventory.hosts.get(name) or Host(name=name)

    def _since_ms(self, began: float) -> float:
        return (self.clock.monotonic() - began) * 1000


def _not_noted(error: StoreError, context: Context) -> None:
    context.emit(EventType.WARNING, message=f"not noted in the store: {error.message}")
