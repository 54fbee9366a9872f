"""Climb the readiness ladder: the container is looked at before the network, deadlines follow progress, and every
failure says why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from llmstack.core.actions import describe
from llmstack.core.asking import ask, unfit
from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.device import BAD, ON_DEMAND, UNKNOWN, by_log, by_processes, by_server, verdict
from llmstack.core.drain import at_work
from llmstack.core.interrupt import within
from llmstack.core.logview import Listens, LogView
from llmstack.core.patience import Patience
from llmstack.domain.check import Check
from llmstack.domain.event import EventType
from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import Answer, Ladder, Rung, RungResult, Why
from llmstack.domain.server import Life, Liveness, ServedModel
from llmstack.domain.service import ModelSpec
from llmstack.domain.target import Target
from llmstack.errors import PreflightError, ServerError
from llmstack.modeltype import Family
from llmstack.protocols import Client, LazyClient

T = TypeVar("T")

POLL_S = 0.025
NOTICE_S = 1.0
"""An engine tells of a death a moment after its connections broke."""
SETTLE_S = 1.0
"""What has no port to be asked at has to live that long at least."""
MORE_TIME = "see its log; if it only needs longer, raise `ready_timeout_s:`"
HANGS = "It runs, but it neither answers nor is seen to work on anything: it hangs."
LOST = ("refused", "reset", "cut")
LATE = ("timeout", "busy")


class _FellError(Exception):
    """The climb ends here; carries the rung, why, and what was seen from outside."""

    def __init__(self, rung: Rung, why: Why, seen: str | None = None) -> None:
        super().__init__(why.summary)
        self.rung, self.why, self.seen = rung, why, seen or why.summary


@dataclass(kw_only=True)
class Climb(Listens):
    """One climb of one target. `deep` loads a model that is not loaded; `wait_s` is how long it may make no progress
    before it has failed (the type's own time when None, and a tenfold of it in all); `late` tells that
    it was given up as what is busy or hangs."""

    context: Context
    wanted: Wanted
    target: Target
    there: Instance | None = None
    model: ModelSpec | None = None
    deep: bool = True
    wait_s: float | None = None
    rungs: list[RungResult] = field(default_factory=list)
    began: float = 0.0
    device: str = UNKNOWN
    wrong: Why | None = None
    unasked: list[str | None] = field(default_factory=list)
    late: bool = False
    log: LogView = field(default_factory=LogView)

    def __post_init__(self) -> None:
        self.began = self.began or self.context.clock.monotonic()

    def note(self, rung: Rung, detail: str = "", *, ok: bool | None = True, **more: Any) -> None:
        """Keep the result of a rung, with `more` of its fields, and tell the listeners."""
        ms = (self.context.clock.monotonic() - self.began) * 1000
        result = RungResult(rung=rung, ok=ok, detail=detail, **{"ms": ms, **more})
        self.rungs.append(result)
        self.context.emit(EventType.RUNG, self.target, rung=result)

    def climb(self, up_to: Rung = Rung.DEVICE) -> Ladder:
        """Climb from `running` to `up_to`; what the server does wrong is a `why`.

        Raises InterruptedRunError, DeadlineError, and what the engine raises.
        """
        try:
            self._climb(up_to)
        except _FellError as fall:
            works = at_work(self.context, self.wanted, self.there) if self.late else None
            busy = None if self.wait_s is None else works
            check, *left = self.unasked or [None]
            self.note(fall.rung, busy or fall.seen, ok=None if busy else False, check=check)
            for title in left:
                self.note(fall.rung, f"{title}: not asked", ok=None, check=title)
            why = self._hangs(fall.why) if self.late and not (works or self.wanted.external) else fall.why
            self.wrong = self.wrong if busy else why
        return Ladder(target=self.target, rungs=tuple(self.rungs), why=self.wrong)

    def _climb(self, up_to: Rung) -> None:
        kind = self.wanted.kind
        client = self.context.client(self.wanted, self.there)
        if client is None:
            self._watch_for(SETTLE_S if self.wait_s is None else 0.0, Rung.RUNNING)
            return
        self._await(client, up_to)
        if Rung.WEIGHTS not in self._rungs() or up_to in (Rung.API, Rung.LOADED) or self.model is None:
            return
        name = kind.served_name(self.model)
        if kind.family is Family.LAZY:
            self._climb_lazy(cast(LazyClient, client), name)
        else:
            self._answer(client, name)
            self._device(None)
        checks = self.model.checks if self.deep else ()
        self.unasked = [check.title for check in checks]
        for check in checks:
            self._check(client, name, check)
            self.unasked.pop(0)

    # -- up to the API -------------------------------------------------------------------------------------------

    def _await(self, client: Client, up_to: Rung) -> None:
        """Until the server says that it is ready; a server that loads is waited for as long as it makes progress."""
        patience = Patience(self.context.clock, self._wait_s())
        seen: Liveness | None = None
        while seen is None or seen.life is not Life.READY:
            self.context.check()
            self._look(self._next())
            seen = client.liveness()
            self._note_life(seen)
            if seen.life is not Life.READY:
                self._wait(patience, seen)
        if not self.wanted.lazy and Rung.LOADED in self._rungs() and up_to is not Rung.API:
            weights = self.wanted.spec.weights if self.wanted.spec else None
            if weights:
                self.note(Rung.WEIGHTS, f"{weights.size_bytes / 1e6:.0f} MB" if weights.size_bytes else "")
            self.note(Rung.LOADED)

    def _wait(self, patience: Patience, seen: Liveness) -> None:
        """A little; another state of the server, or another last line of its log, is progress."""
        waited_s = patience.spent_s(lambda: (seen.life, self.last_line()))
        if waited_s is not None:
            self.late = seen.late and not (self.wait_s is None and self._has(Rung.CREATED))  # else it begins
            reached = self.rungs[-1].rung if self.rungs else "none"
            within = f"not ready within {waited_s:.0f} s, last rung reached: {reached}"
            otherwise = f"{within} ({seen.detail or 'nothing answers'})"
            why = self.why(self.there, otherwise)
            raise _FellError(
                self._next(), replace(why, do=why.do or (MORE_TIME if self.wait_s is None else None)), otherwise
            )
        self.context.clock.sleep(POLL_S)

    def _wait_s(self) -> float:
        own = self.wanted.placement.service.ready_timeout_s or self.wanted.kind.ready_timeout_s
        return own if self.wait_s is None else self.wait_s

    def _note_life(self, seen: Liveness) -> None:
        if (seen.port or seen.life is not Life.SILENT) and not self._has(Rung.PORT):
            self._own_port()
            self.note(Rung.PORT)
        if seen.life in (Life.LOADING, Life.READY) and not self._has(Rung.API):
            self.note(Rung.API)

    def _own_port(self) -> None:
        """Who answers must be this instance, not somebody who took its port while it was starting."""
        spec = self.there.spec if self.there and not self.wanted.external else None
        try:
            if spec:
                self.context.engine(self.wanted).check_port(spec)
        except PreflightError as error:
            raise _FellError(Rung.PORT, Why(summary=error.message, do=error.hint, key="port")) from error

    def _hangs(self, why: Why) -> Why:
        """With what it means that one which runs neither answers nor is seen to compute."""
        again = f"llmstack restart --service {self.wanted.target.name}"
        return replace(why, meaning=" ".join(filter(None, (HANGS, why.meaning))), do=why.do if why.meaning else again)

    def _look(self, rung: Rung) -> None:
        """Look at the container before the network: dead or restarted since the last look is a failure."""
        if self.wanted.external or self.there is None:
            return
        engine = self.context.engine(self.wanted)
        now = engine.inspect(self.there.container_name)
        if now is None:
            raise _FellError(rung, Why(summary=f"{self.there.container_name} was removed by somebody else"))
        again = self.there.restarts is not None and (now.restarts or 0) > self.there.restarts
        if now.state is State.CRASHED or again or not now.running:
            if not now.out_of_memory:
                now = replace(now, out_of_memory=engine.starved(now.container_name))
            raise _FellError(rung, self.why(now, describe(now)), describe(now))
        self.there = now

    def _watch_for(self, seconds: float, rung: Rung) -> None:
        """Look at the container until `seconds` have passed, once at least."""
        clock = self.context.clock
        until = clock.monotonic() + seconds
        self._look(rung)
        while self.there and not self.wanted.external and clock.monotonic() < until:
            self.context.check()
            clock.sleep(POLL_S)
            self._look(rung)

    def _next(self) -> Rung:
        """The lowest rung that is not reached yet."""
        return next((rung for rung in self._rungs()[2:] if not self._has(rung)), Rung.LOADED)

    def _rungs(self) -> tuple[Rung, ...]:
        return self.wanted.kind.family.rungs

    def _has(self, rung: Rung) -> bool:
        return any(result.rung is rung for result in self.rungs)

    # -- the model ----------------------------------------------------------------------------------------------

    def _climb_lazy(self, client: LazyClient, name: str) -> None:
        there = self._find(client, name, Rung.WEIGHTS)
        if there is None:
            why = Why(summary=f"the server has no model '{name}'", do=f"llmstack pull --model {self.target.name}")
            raise _FellError(Rung.WEIGHTS, why)
        self.note(Rung.WEIGHTS, f"{there.size_bytes / 1e6:.0f} MB" if there.size_bytes else "")
        if not there.loaded and not self.deep:
            self.note(Rung.LOADED, ON_DEMAND, ok=None)
            return
        if not there.loaded:
            self._asking(Rung.LOADED, lambda: client.load(name, self._alive))
        self.note(Rung.LOADED)
        self._answer(client, name)
        self._device(self._find(client, name, Rung.DEVICE))

    def _find(self, client: Client, name: str, rung: Rung) -> ServedModel | None:
        models = self._asking(rung, client.models)
        return next((model for model in models if self.wanted.kind.same_model(name, model.name)), None)

    def _answer(self, client: Client, name: str) -> None:
        """A real request; the question varies, so that no cached prompt flatters the figures."""
        answer, ms = self._ask(Rung.ANSWERED, client, name)
        if not answer.text.strip():
            raise _FellError(Rung.ANSWERED, self.why(self.there, "the server answered with nothing"))
        self.note(Rung.ANSWERED, answer.figures, answer=answer, ms=ms)

    def _device(self, served: ServedModel | None) -> None:
        spec = (self.there and self.there.spec) or self.wanted.spec
        asked, self.device = bool(spec and spec.limits.gpus), by_server(served)
        if (asked or self.device == UNKNOWN) and not self.wanted.external and self.there:
            self.device = self._seen_device(self.there.container_name, self.device, asked=asked)
        ok, words = verdict(self.device, gpu_wanted=asked)
        if ok is False:
            raise _FellError(Rung.DEVICE, self.why(self.there, BAD[words], "llmstack doctor"), words)
        self.note(Rung.DEVICE, words, ok=ok)

    def _seen_device(self, name: str, told: str, *, asked: bool) -> str:
        """By the driver where it has GPUs and sees nothing there, whatever the server `told`; else by what that said or
        wrote: only the server knows how much of the model is on a GPU."""
        gpus = self.context.gpus.gpus() if self.wanted.placement.host.local else None
        seen = by_processes(gpus, self.context.engine(self.wanted).pids(name))
        if told != UNKNOWN and not (gpus and verdict(seen, gpu_wanted=True)[0] is False):
            return told
        return by_log(self._log()[1], seen) if asked and (seen in (UNKNOWN, "gpu") or not gpus) else seen

    def _check(self, client: Client, name: str, check: Check) -> None:
        """What the inventory wants of an answer; one that is not so keeps no other from being asked for."""
        answer, ms = self._ask(Rung.CHECKED, client, name, check)
        wrong = unfit(check, answer, self.device)
        detail = ": ".join(filter(None, (check.title, wrong)))
        if wrong and not self.wrong:
            self.wrong = Why(summary=detail, do=f"look why, or correct `checks:` of {self.target.name}")
        self.note(Rung.CHECKED, detail, ok=not wrong, answer=answer, ms=ms, check=check.title)

    def _ask(self, rung: Rung, client: Client, name: str, check: Check | None = None) -> tuple[Answer, float]:
        """The answer and its time; what cannot be seen to work meanwhile is given all the time it needs."""
        monotonic, patience_s = self.context.clock.monotonic, None if self.wanted.external else self.wait_s
        began = monotonic()
        answer = self._asking(rung, lambda: ask(client, name, monotonic, check, patience_s))
        return answer, (monotonic() - began) * 1000

    def _alive(self) -> bool:
        """Whether a load is worth waiting for: only Ctrl-C or a dead server ends it, never a short time-out."""
        if self.context.stopped:
            return False
        if self.wanted.external or self.there is None:
            return True
        now = self.context.engine(self.wanted).inspect(self.there.container_name)
        return now is not None and now.running

    def _asking(self, rung: Rung, request: Callable[[], T]) -> T:
        self.context.check()
        try:
            return within(request, self.context)
        except ServerError as error:
            self._watch_for(NOTICE_S if error.kind in LOST else 0.0, rung)
            self.late = self.wait_s is not None and error.kind in LATE
            raise _FellError(rung, self.why(self.there, error.message, error.hint), error.message) from error
