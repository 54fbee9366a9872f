"""What a run works with: the engines, the clock, the listeners, and whether to go on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from llmstack.core.desired import Wanted, plugin_guard
from llmstack.core.observe import EngineOf
from llmstack.domain.event import Event, EventType, Nobody
from llmstack.domain.host import Host
from llmstack.domain.instance import Instance
from llmstack.domain.outcome import Outcome, RunResult
from llmstack.domain.plan import Action
from llmstack.domain.secret import Secret
from llmstack.domain.stop import STOP
from llmstack.domain.target import Target
from llmstack.errors import DeadlineError, InterruptedRunError, LlmstackError
from llmstack.modeltype import Family
from llmstack.protocols import Client, Clock, Engine, GpuReader, Sink

if TYPE_CHECKING:
    from llmstack.domain.progress import Progress
    from llmstack.domain.stored import StoredModel, StoredVersion

Key = tuple[str, str | None, str]
"""Host, container and name of a row of the store."""


@dataclass(kw_only=True)
class Context:
    """One run. `wanted` finds a placement by service@host; `began` and `deadline` are times of the monotonic clock,
    `promised` the (host, port) that somebody in it will have, `under_way` what is being changed at the moment, `file`
    the one of a backup, `sizes` what was told of sources that are to be fetched, `proved` tells which version of a
    target was ready last, as far as anybody remembers; a run that `only_looks` changes nothing."""

    task: str
    engine_of: EngineOf
    clock: Clock
    sink: Sink
    gpus: GpuReader
    wanted: Mapping[Target, Wanted] = field(default_factory=dict)
    hosts: Mapping[str, Host] = field(default_factory=dict)
    stack: str | None = None
    forks: int = 8
    wait: bool = True
    only_looks: bool = False
    began: float = 0.0
    deadline: float | None = None
    file: str | None = None
    proved: Callable[[Target], StoredVersion | None] = lambda _: None
    known: Mapping[Key, StoredModel] = field(default_factory=dict)
    begun: frozenset[Target] = frozenset()
    interrupted: threading.Event = field(default_factory=threading.Event)
    promised: set[tuple[str, int]] = field(default_factory=set)
    under_way: dict[Target, Action] = field(default_factory=dict)
    sizes: dict[str, int | None] = field(default_factory=dict)
    turns: dict[tuple[str, ...], threading.Lock] = field(default_factory=dict)
    done: dict[tuple[str, ...], LlmstackError | None] = field(default_factory=dict)

    def turn(self, *what: str) -> threading.Lock:
        """The lock of something that only one worker of this run may do at a time."""
        return self.turns.setdefault(what, threading.Lock())

    def once(self, work: Callable[[], None], *what: str) -> None:
        """Do something that serves the whole run, unless it is done; where it failed, everybody hears why."""
        with self.turn(*what):
            if what not in self.done:
                try:
                    work()
                except LlmstackError as error:
                    self.done[what] = error
                else:
                    self.done[what] = None
            if failed := self.done[what]:
                raise failed

    def spent_ms(self) -> float:
        """How long the run has taken so far."""
        return (self.clock.monotonic() - self.began) * 1000

    def result(self, outcomes: tuple[Outcome, ...], run_id: str | None = None) -> RunResult:
        """What the run has come to by now."""
        return RunResult(task=self.task, outcomes=outcomes, ms=self.spent_ms(), run_id=run_id, interrupted=self.stopped)

    @property
    def stopped(self) -> bool:
        """Whether nothing new is to be begun, as somebody wants the run or the process to stop."""
        return self.interrupted.is_set() or STOP.is_set()

    def check(self) -> None:
        """Raise InterruptedRunError or DeadlineError when the run should go no further."""
        if self.stopped:
            raise InterruptedRunError("interrupted", "run it again to go on")
        if self.deadline is not None and self.clock.monotonic() >= self.deadline:
            raise DeadlineError("the run took longer than --timeout", "give it more time, or pick less with --model")

    def emit(self, type_: EventType, target: Target | None = None, message: str = "", **data: object) -> None:
        """Tell the listeners."""
        event = Event(ts=self.clock.now(), type=type_, task=self.task, target=target, message=message, data=data)
        self.sink.emit(event)

    def warn(self, message: str, target: Target | None = None) -> None:
        """Tell the listeners of what does not stop the run."""
        self.emit(EventType.WARNING, target, message)

    def report(self, target: Target, progress: Progress) -> None:
        """Tell the listeners how far a fetch has come. Raises InterruptedRunError, which ends the fetch."""
        self.emit(EventType.PROGRESS, target, progress=progress)
        self.check()

    def wanted_of(self, action: Action) -> Wanted:
        """The placement behind an action."""
        assert action.placement is not None
        return self.wanted[action.placement.target]

    def engine(self, wanted: Wanted) -> Engine:
        """The engine that runs a placement."""
        return self.engine_of(wanted.placement.host, wanted.engine)

    def engine_at(self, action: Action, engine: str) -> Engine:
        """The engine on which an action's instance was seen; it need not be the one where it is wanted."""
        host = action.placement.host if action.placement else self.hosts[action.target.host]
        return self.engine_of(host, engine)

    def inspect(self, wanted: Wanted) -> Instance | None:
        """The instance of a placement with all its facts; an adopted one under the name of its service."""
        name = wanted.container_name
        there = self.engine(wanted).inspect(name) if name else None
        return replace(there, service=wanted.target.name) if there else None

    def client(self, wanted: Wanted, there: Instance | None) -> Client | None:
        """A client for a running server; None for an instance that publishes no port."""
        url = self.url(wanted, there)
        return client_of(wanted, url) if url else None

    def url(self, wanted: Wanted, there: Instance | None) -> str | None:
        """The base URL of a server as seen from here."""
        if wanted.external:
            return wanted.placement.service.url
        endpoint = self.engine(wanted).endpoint(there) if there else None
        return endpoint.controller if endpoint else None


def quiet(context: Context) -> Context:
    """The same run, but nobody listens: for steps that are not part of what was asked."""
    return replace(context, sink=Nobody())


def client_of(wanted: Wanted, url: str) -> Client:
    """The type's own client. Raises PluginError for a placement whose plugin is broken."""
    kind = wanted.kind
    secret = wanted.placement.service.env.get(kind.api_key_env or "")
    key = secret.reveal() if isinstance(secret, Secret) else secret
    with plugin_guard(kind.name):
        return kind.client(url, key, wanted.options)


def urls(context: Context, wanted: Wanted, there: Instance | None) -> tuple[str, ...]:
    """Where users reach it: the OpenAI-compatible base of a model server, the page of a companion."""
    url = context.url(wanted, there)
    if not url:
        return ()
    serves = wanted.type is not None and wanted.type.family is not Family.COMPANION
    return (f"{url.rstrip('/')}/v1" if serves else url,)
