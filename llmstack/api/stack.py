"""`Stack`: one inventory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from llmstack.api.base import Closing, Listener
from llmstack.app import App
from llmstack.domain.event import Event
from llmstack.domain.outcome import RunResult
from llmstack.domain.plan import Plan
from llmstack.domain.report import StatusReport, SyncReport
from llmstack.domain.selection import RunOptions, Selection, Settings
from llmstack.domain.stored import StoredRun
from llmstack.domain.tabular import Rows


class Stack(Closing):
    """One inventory: the same verbs as the tasks, typed values in and out.

    Names are models or services; none means all. Raises ConfigError for a broken inventory and NoMatchError for an
    unknown name; what fails on a host is an outcome, not an exception. `on_event` hears what happens as it happens.
    """

    def __init__(
        self,
        inventory: str | None = None,
        *,
        store: str | None = None,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._listener = Listener(on_event)
        self._settings = Settings(inventory=inventory, store=store, command="python")
        self._app = App(self._settings, self._listener)

    def close(self) -> None:
        """Let go of engines and store."""
        self._app.close()

    def plan(self, *names: str) -> Plan:
        """What `up` would do; changes nothing."""
        outcomes = self._app.up(Selection(models=names), RunOptions(check=True)).outcomes
        return Plan(tuple(outcome.action for outcome in outcomes if outcome.action))

    def up(self, *names: str, wait: bool = True) -> RunResult:
        """Make them true, and prove that they answer unless `wait` is False."""
        return self._app.up(Selection(models=names), RunOptions(wait=wait))

    def down(self, *names: str, orphans: bool = False) -> RunResult:
        """Stop and remove them."""
        return self._app.down(Selection(models=names), RunOptions(orphans=orphans))

    def pull(self, *names: str) -> RunResult:
        """Fetch their models."""
        return self._app.pull(Selection(models=names))

    def health(self, *names: str, deep: bool = False) -> RunResult:
        """Prove that they answer; each outcome has its ladder."""
        return self._app.health(Selection(models=names), deep=deep)

    def status(self, *names: str) -> StatusReport:
        """What runs."""
        return self._app.status(Selection(models=names))

    def sync(self, *, check: bool = False) -> SyncReport:
        """Make the store say what runs."""
        return self._app.sync(check=check)

    def history(self, *names: str, run_id: str | None = None, limit: int = 20) -> tuple[StoredRun, ...]:
        """The last runs, newest first, of every program that uses this store; with names what they did with those, with
        `run_id` that one run and its events."""
        return Rows(self._app.history(Selection(models=names), run_id=run_id, limit=limit))

    def events(self, *names: str) -> Iterator[Event]:
        """What happens on all hosts from now on, as it happens, whoever does it: `change` events, whose `difference`
        says what, and `warning`s; endless. Each is in the store by then. Raises StoreError.

        Closing the iterator (`contextlib.closing`, or an end of the loop and the last reference) ends the listening.
        """
        with contextlib.closing(App(self._settings, self._listener)) as app:
            yield from app.watch(Selection(models=names))
