"""The verbs that only look, or keep the store true."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.core.context import Context
from llmstack.core.interrupt import within
from llmstack.core.remember import keep_devices
from llmstack.core.run import not_noted, note
from llmstack.core.select import Picked
from llmstack.domain.apart import apart
from llmstack.domain.host import Host
from llmstack.domain.outcome import RunResult
from llmstack.domain.selection import EVERYTHING, Selection
from llmstack.domain.target import Target
from llmstack.errors import NoInventoryError, StoreError
from llmstack.machines import Machines

if TYPE_CHECKING:
    from llmstack.core.report import Told
    from llmstack.domain.event import Event
    from llmstack.domain.inquiry import Inquest, Inquiry
    from llmstack.domain.report import StatusReport, SyncReport
    from llmstack.domain.server import ChatChunk
    from llmstack.domain.setting import Setting
    from llmstack.domain.stored import StoredRun
    from llmstack.store.store import Store


class Looking(Machines):
    """One inventory and what serves it, as it is."""

    def health(self, selection: Selection, *, deep: bool = False, before: RunResult | None = None) -> RunResult:
        """Climb the ladder of everything picked that should run; changes nothing on engines and servers. What came to
        the same `before` is not noted again."""
        from llmstack.core.health import health, switched_off

        picked = self._pick(selection)
        context = self.context("health")
        look = partial(self._observe, picked, context, facts=False)
        outcomes = within(lambda: health(picked, look(), context, deep=deep), context)
        result = context.result((*outcomes, *switched_off(picked, self.inventory)))
        if before and [one.came_to for one in before.outcomes] == [one.came_to for one in result.outcomes]:
            return result
        try:
            result = replace(result, run_id=self.store.begin_run(self.settings.task or "health", self.settings.command))
            note(result, outcomes, context, self.store)
        except StoreError as error:
            not_noted(error, context)
        return result

    def wait(self, selection: Selection) -> RunResult:
        """Wait until everything picked has really answered. Raises DeadlineError saying what has not."""
        from llmstack.core.health import await_health, switched_off

        picked, context = self._pick(selection), self.context("wait")
        look = partial(self._observe, picked, context, facts=False)
        outcomes = await_health(picked, look, context)
        self._told(partial(keep_devices, outcomes, context))
        return context.result((*outcomes, *switched_off(picked, self.inventory)))

    def changes(self, selection: Selection, due: Callable[[], bool] = bool) -> Iterator[None]:
        """Once at first, and then whenever something has happened to what is picked since it was last asked, or it is
        `due`; endless. Keeps the store true, as `watch` does."""
        self._deadline = self.context("status").deadline
        asked: float | None = None
        for event in self._watched(selection):
            if asked is None or (event.ts >= asked if event else due()):
                asked = self.clock.now()
                yield

    def turns(self, *, every_s: float = 0.0, rest_s: float = 0.0) -> Iterator[None]:
        """Once at first, and then every so often, with a rest after each look; endless. All looks together have the
        time of a run. Raises InterruptedRunError and DeadlineError."""
        context = self.context("turns")
        self._deadline = context.deadline
        while True:
            began = self.clock.monotonic()
            yield
            now = self.clock.monotonic()
            rest_until = max(began + every_s, now + rest_s)
            self.clock.sleep(max(0.0, min(rest_until, context.deadline or rest_until) - now))
            context.check()

    def status(self, selection: Selection) -> StatusReport:
        """What runs; without an inventory, what serves models on this machine."""
        from llmstack.core.report import status_report, strangers_report
        from llmstack.core.stats import stats_report, with_usage

        context = self.context("status")
        try:
            picked = self._pick(selection)
        except NoInventoryError:
            return within(lambda: strangers_report(context, self.registry), context)
        memory = self._memory(context)

        def look() -> StatusReport:
            observed = self._observe(picked, context, facts=False)
            orphans = self._orphans(observed) if selection.everything else ()
            running = [item for item in picked if (there := observed.find(item.wanted)) and there.running]
            used = apart(partial(stats_report, running, context, quick=True), "measure")
            report = status_report(picked, observed, orphans, context, memory=memory, registry=self.registry)
            return with_usage(report, used.result())

        return replace(within(look, context), inventory=self.inventory.path)

    def why(self, selection: Selection) -> Inquest:
        """Why each of what is picked is as it is; a fresh look that changes nothing on engines and servers."""
        from llmstack.core.context import quiet
        from llmstack.core.health import health
        from llmstack.core.inquiry import Asker
        from llmstack.core.report import status_report
        from llmstack.domain.inquiry import Inquest

        picked, context = self._pick(selection), self.context("why")
        memory = self._memory(context)

        def look() -> tuple[Inquiry, ...]:
            observed = self._observe(picked, context)
            report = status_report(picked, observed, (), context, memory=memory, registry=self.registry)
            outcomes = health(picked, observed, quiet(context), deep=False)
            self._told(partial(keep_devices, outcomes, context))
            asker = Asker(context, memory, self._source.placement, self.inventory, observed)
            return tuple(page for item in picked for page in asker.ask(item, report.rows, outcomes))

        return Inquest(inquiries=within(look, context))

    def fix(self, inquest: Inquest) -> tuple[tuple[Path, str, str], ...]:
        """The files to write for the remedies with a value: path, what it holds, what it is to hold. Raises
        ConfigError."""
        from llmstack.inventory.fixes import fix

        assert self.inventory.path
        path, hosts = Path(self.inventory.path), dict.fromkeys(target.host for target in inquest.fixes)
        return tuple(fix(path, host, [one for at, one in inquest.fixes.items() if at.host == host]) for host in hosts)

    def _memory(self, context: Context) -> Store | None:
        """The store, as far as it can be read: status goes without it."""
        try:
            return self.store
        except StoreError as error:
            context.warn(f"the store cannot be read: {error.message}")
            return None

    def sync(self, selection: Selection = EVERYTHING, *, check: bool = False) -> SyncReport:
        """Compare inventory, store and engines; repair the store, never the engine. A damaged store is set aside."""
        picked, context = self._pick(selection), self.context("sync")
        if not check:
            self._mend_store()
        return self._sync(picked, context, {}, check=check, whole=selection.everything)

    def watch(self, selection: Selection = EVERYTHING) -> Iterator[Event]:
        """As `sync`, again whenever something happens: each difference as an event that is in the store by then.

        Endless; once it is closed, close the app too.
        """
        return (event for event in self._watched(selection) if event)

    def _watched(self, selection: Selection) -> Iterator[Event | None]:
        from llmstack.core.watch import watch

        picked, context = self._pick(selection), self.context("sync")
        self._mend_store()

        def look(some: Sequence[Picked], told: Told, whole: bool) -> SyncReport:
            return self._sync(some, context, told, whole=whole and selection.everything)

        return watch(picked, look, context, self.store)

    def _mend_store(self) -> None:
        from llmstack.store.mend import mend

        if told := mend(self.settings.store):
            self._warn("sync", told)

    def _sync(
        self, picked: Sequence[Picked], context: Context, told: Told, *, whole: bool, check: bool = False
    ) -> SyncReport:
        from llmstack.core.report import sync_report

        store, rows = self.store, self.store.models()
        observed = within(lambda: self._observe(picked, context, facts=False), context)
        wanted = [item.wanted for item in picked]
        orphans = self._orphans(observed) if whole else ()
        return sync_report(wanted, observed, orphans, context, store, rows=rows, check=check, whole=whole, told=told)

    def logs(
        self, selection: Selection, *, tail: int | None = None, follow: bool = False
    ) -> Iterator[tuple[Target, str]]:
        """Log lines of what is picked."""
        from llmstack.core import talk

        context = self.context("logs")
        picked = self._pick(selection)
        return talk.logs(picked, self._observe(picked, context, facts=False), context, tail=tail, follow=follow)

    def ask(self, selection: Selection, prompt: str, *, max_tokens: int | None = None) -> Iterator[ChatChunk]:
        """A streamed answer of the one model that is picked."""
        from llmstack.core import talk

        context = self.context("ask")
        picked = self._pick(selection)
        observed = within(lambda: self._observe(picked, context, facts=False), context)
        return talk.ask(picked, observed, context, prompt, max_tokens=max_tokens)

    def history(
        self, selection: Selection = EVERYTHING, *, run_id: str | None = None, limit: int = 20
    ) -> tuple[StoredRun, ...]:
        """The last runs, newest first, with what they did; with `run_id` that one, and its events. Asks the store
        alone."""
        from llmstack.core.history import history, one_run

        runs = (one_run(self.store, run_id),) if run_id else history(self.store, selection, limit=limit)
        return tuple(replace(run, killed=True) if _was_killed(run) else run for run in runs)

    def explain(self, selection: Selection = EVERYTHING) -> tuple[tuple[Target, tuple[Setting, ...]], ...]:
        """Every value in force of what is picked, and where it was written. Asks the inventory alone."""
        from llmstack.core.explain import explain

        return explain(self._pick(selection), self._source.placement)

    def hosts(self, *patterns: str) -> tuple[tuple[Host, tuple[Setting, ...]], ...]:
        """The hosts that patterns pick, all without any, with their variables. Raises NoMatchError."""
        names = self._with_hosts(Selection(hosts=patterns)).hosts or tuple(self.inventory.hosts)
        return tuple((self.inventory.hosts[name], self._source.host(name)) for name in names)


def _was_killed(run: StoredRun) -> bool:
    """Whether its process is gone, and it has no end."""
    if run.ended_at is not None or not run.process:
        return False
    from llmstack.engines.holder import is_dead

    return is_dead(run.process)
