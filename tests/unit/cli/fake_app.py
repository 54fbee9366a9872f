"""Stands in for `llmstack.app`: what each verb comes to is told by the names that are picked.

`broken` fails its ladder, `boom` raises what no code expects, `stuck` never ends until a signal comes, `cut` breaks
off, `bad` has mistakes in its inventory, `unknown` selects nothing, `away` is on a host that cannot be reached,
`warned` comes with a warning, `raise-NAME` raises that exception, `fetched` is fetched first, `gone` and `crashed` do
not run; everything else goes well. Calls are kept in `CALLS`, and written to the file named by FAKE_APP_CALLS.
"""

from __future__ import annotations

import builtins
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from llmstack import errors
from llmstack.domain.event import Event, EventType
from llmstack.domain.gpu import Gpu, HeldGpu, Holder, HolderKind
from llmstack.domain.instance import State
from llmstack.domain.ladder import Answer, Ladder, Rung, RungResult, Why
from llmstack.domain.leftover import Leftover, LeftoverKind, Remains, Remnant
from llmstack.domain.measured import Metrics, StoredSample
from llmstack.domain.outcome import Outcome, RunResult, Status
from llmstack.domain.plan import Action, ActionKind, FieldChange, Plan
from llmstack.domain.position import Position, Problem
from llmstack.domain.progress import Progress
from llmstack.domain.report import Difference, Fate, StatusReport, StatusRow, SyncReport
from llmstack.domain.selection import RunOptions, Selection, Settings
from llmstack.domain.server import ChatChunk
from llmstack.domain.stored import StoredRun
from llmstack.domain.target import Target, TargetKind
from llmstack.domain.usage import StatsReport, StatsRow, Usage
from llmstack.errors import InventoryError, NoMatchError, ServerError, UnhealthyError, UnreachableError
from llmstack.protocols import Sink
from tests.unit.cli.fake_weights import FakeWeights

CALLS: list[tuple[str, object, dict[str, object]]] = []

STATES = {"gone": State.ABSENT, "crashed": State.CRASHED}
ANSWERED = RungResult(
    rung=Rung.ANSWERED,
    ok=True,
    ms=400,
    answer=Answer(text="Hello", first_token_ms=38, tokens=16, tokens_per_s=118.2),
)


class App(FakeWeights):
    def __init__(self, settings: Settings, sink: Sink) -> None:
        self.settings, self.sink = settings, sink
        self._note("open", settings)

    def close(self) -> None:
        self._note("close", None)

    def up(self, selection: Selection, options: RunOptions) -> RunResult:
        return self._run("up", selection, **asdict(options))

    def down(self, selection: Selection, options: RunOptions) -> RunResult:
        return self._run("down", selection, **asdict(options))

    def pull(self, selection: Selection, options: RunOptions) -> RunResult:
        return self._run("pull", selection, **asdict(options))

    def restart(self, selection: Selection, options: RunOptions) -> RunResult:
        return self._run("restart", selection, **asdict(options))

    def update(self, selection: Selection, options: RunOptions) -> RunResult:
        return self._run("update", selection, **asdict(options))

    def rollback(self, selection: Selection, options: RunOptions) -> RunResult:
        return self._run("rollback", selection, **asdict(options))

    def rm(self, selection: Selection, options: RunOptions) -> RunResult:
        return self._run("rm", selection, **asdict(options))

    def backup(self, selection: Selection, options: RunOptions) -> RunResult:
        return self._run("backup", selection, **asdict(options))

    def restore(self, selection: Selection, options: RunOptions) -> RunResult:
        return self._run("restore", selection, **asdict(options))

    def leftovers(self, selection: Selection, *, everything: bool) -> Remains:
        self._note("leftovers", selection, everything=everything)
        volume = Leftover(kind=LeftoverKind.VOLUME, name="data", what="data of page", stack="lab", size_bytes=3_200_000)
        image = Leftover(kind=LeftoverKind.IMAGE, name="llmstack/empty:1", what="image of locks")
        found = [Remnant(host="localhost", engine="docker", leftover=one) for one in (volume, image)]
        return Remains(items=tuple(found)[: 1 + everything])

    def uninstall(self, found: Remains, selection: Selection, *, everything: bool) -> RunResult:
        names = [item.leftover.name for item in found.items]
        self._note("uninstall", names, selection=selection, everything=everything)
        gone = [Outcome(target=item.target, status=Status.CHANGED, reason="removed") for item in found.items]
        return RunResult(task="uninstall", outcomes=tuple(gone), ms=1500)

    def health(self, selection: Selection, *, deep: bool = False, before: RunResult | None = None) -> RunResult:
        return self._run("health", selection, deep=deep)

    def sync(self, selection: Selection, *, check: bool = False) -> SyncReport:
        self._note("sync", selection, check=check)
        gone = Difference(target=Target("llama3", "gpu01"), store="active", engine="exited 137", action="recorded")
        gone = replace(gone, reason=Fate.DIED)
        away = UnreachableError("gpu03: no route to host", "run `llmstack status`")
        if not check or not selection.services:
            return SyncReport(differences=(gone,), changed=1, errors=(away,))
        wishes = [
            Difference(target=Target(name, "localhost"), store="", engine=text, action="llmstack up", reason=fate)
            for name, text, fate in (("web", "wanted, not there", Fate.WANTED), ("page", "differs", Fate.DIFFERS))
        ]
        return SyncReport(differences=tuple(wishes))

    def watch(self, selection: Selection) -> Iterator[Event]:
        self._enter("watch", selection)
        gone = Difference(target=Target("llama3", "gpu01"), store="active", engine="exited 7", action="recorded")
        yield Event(1.0, EventType.CHANGE, "sync", gone.target, gone.engine, {"difference": gone})
        yield Event(1.0, EventType.WARNING, "sync", message="gpu03 is away")
        if "stuck" in selection.models:
            raise KeyboardInterrupt

    def changes(self, selection: Selection, due: Callable[[], bool]) -> Iterator[None]:
        return self.turns()

    def status(self, selection: Selection) -> StatusReport:
        self._enter("status", selection)
        rows = [
            StatusRow(model=name, service=name, host="localhost", state=STATES.get(name, State.READY), engine="process")
            for name in selection.models or ("demo",)
        ]
        return StatusReport(rows=tuple(rows), inventory="inventory.yaml")

    def metrics(self, selection: Selection, *, last: int) -> tuple[Metrics, ...]:
        self._enter("metrics", selection, last=last)
        sample = StoredSample(
            at=60.0, host="gpu01", service="demo", container_name="demo", usage=Usage(cpu_percent=5.0)
        )
        return (Metrics(service="demo", host="gpu01", samples=(sample, replace(sample, at=120.0))),)[: last < 999]

    def turns(self, *, every_s: float = 0.0, rest_s: float = 0.0) -> Iterator[None]:
        self._note("turns", None, every_s=every_s, rest_s=rest_s)
        yield from (None, None)
        raise KeyboardInterrupt

    def stats(self, selection: Selection, *, keep: bool = False) -> StatsReport:
        self._enter("stats", selection, keep=keep)
        used = Usage(cpu_percent=3.2, memory_bytes=3 << 29, memory_limit_bytes=3 << 32, processes=2)
        names = selection.models or ("demo",)
        rows = [
            StatsRow(service=name, host="localhost", engine="docker", container_name=name, models=(name,), usage=used)
            for name in names
            if name != "gone"
        ]
        errors = (UnreachableError("gpu03: no route to host"),) if "twice" in names else ()
        return StatsReport(rows=tuple(rows), errors=errors)

    def gpus_now(self) -> tuple[HeldGpu, ...]:
        self._note("gpus", None)
        card = Gpu(0, "GPU-1", "RTX 4090", 24 << 30, 20 << 30, {7: 20 << 30}, utilization_percent=98, temperature_c=62)
        holder = Holder(pid=7, kind=HolderKind.INSTANCE, name="demo@localhost", memory_bytes=20 << 30)
        return HeldGpu(card, (holder,)), HeldGpu(Gpu(1, None, None, process_bytes=None, trouble="the GPU is lost"))

    def history(self, selection: Selection, *, run_id: str | None, limit: int) -> tuple[StoredRun, ...]:
        self._enter("history", selection, run_id=run_id, limit=limit)
        items = tuple(self._outcome(_create(name), check=True).as_json() for name in selection.models)
        return (StoredRun(id="7", task="up", command="llmstack up", started_at=1.0, items=items),)[: limit < 999]

    def logs(self, selection: Selection, *, tail: int | None, follow: bool) -> Iterator[tuple[Target, str]]:
        self._enter("logs", selection, tail=tail, follow=follow)
        for name in selection.models or ("demo",):
            if name == "mute":
                return
            yield Target(name, "localhost"), "ready \x1b[31mred\x1b[0m"

    def ask(self, selection: Selection, prompt: str, *, max_tokens: int | None = None) -> Iterator[ChatChunk]:
        self._enter("ask", selection, prompt=prompt, max_tokens=max_tokens)
        yield ChatChunk(text="Blue\x07 light ")
        yield ChatChunk(text="scatters.")
        if "cut" in selection.models:
            raise ServerError("the answer was cut off", "ask again", kind="cut")
        yield ChatChunk(done=True, tokens=4, tokens_per_s=61.0, clock="server")

    def _run(self, task: str, selection: Selection, **how: object) -> RunResult:
        self._enter(task, selection, **how)
        actions = [_create(name) for name in selection.models or ("demo",)]
        self._emit(EventType.PLAN, plan=Plan(tuple(actions)))
        outcomes = [self._outcome(action, check=bool(how.get("check"))) for action in actions]
        return RunResult(task=task, outcomes=tuple(outcomes), ms=1500, run_id="r1")

    def _outcome(self, action: Action, *, check: bool) -> Outcome:
        if check:
            return Outcome(target=action.target, status=Status.WOULD_CHANGE, reason=action.reason, action=action)
        self._emit(EventType.START, action.target, "llamacpp · SmolLM2 · 127.0.0.1:8080")
        if action.target.name == "stuck":
            threading.Event().wait(60)
        if action.target.name == "fetched":
            self._emit(EventType.PROGRESS, action.target, progress=Progress("llama3:8b", "pulling", 5000, 9000))
        outcome = _broken(action) if action.target.name == "broken" else _fine(action)
        for rung in outcome.ladder.rungs if outcome.ladder else ():
            self._emit(EventType.RUNG, action.target, rung=rung)
        self._emit(EventType.RESULT, action.target, outcome.reason, outcome=outcome)
        return outcome

    def _emit(self, type_: EventType, target: Target | None = None, message: str = "", **data: object) -> None:
        self.sink.emit(Event(ts=1000.0, type=type_, task="up", target=target, message=message, data=data))

    def _enter(self, task: str, selection: Selection, **how: object) -> None:
        self._note(task, selection, **how)
        names = selection.models
        if "boom" in names:
            raise RuntimeError("out of \x1b[1mluck")
        for name in names:
            if name.startswith("raise-"):
                raise _named(name.removeprefix("raise-"))
        if "statuss" in names:
            raise NoMatchError("no model or service 'statuss'", "models: a", name="statuss", suggestion=None)
        if "unknown" in names:
            raise NoMatchError("no model or service 'unknown' in inventory.yaml", "see `llmstack status`")
        if "away" in names:
            raise UnreachableError("gpu03: no route to host")
        if "bad" in names:
            at = Position("inventory.yaml", 32, 5, 9)
            line = "    imge: vllm/vllm-openai:v0.11.0"
            raise InventoryError([Problem("E012", "unknown key 'imge'", at, "image", line)])
        if "logged" in names:
            logging.getLogger("urllib3.connectionpool").debug("GET %s HTTP/1.1", "/api/pull?key=hush")
            logging.getLogger("other").debug("token=hush")
        if "warned" in names:
            self._emit(EventType.WARNING, message="the store is on a network disk")

    def _note(self, name: str, what: object, **how: object) -> None:
        CALLS.append((name, what, how))
        if path := os.environ.get("FAKE_APP_CALLS"):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(f"{name}\n")


def _create(name: str) -> Action:
    change, target = FieldChange("memory", "8 GiB", "12 GiB"), Target(name, "localhost", TargetKind.MODEL)
    return Action(kind=ActionKind.CREATE, target=target, reason="not there", changes=(change,))


def _named(name: str) -> BaseException:
    """An exception by its name: ours, or Python's; `SIGTERM` is the signal."""
    if name == "SIGTERM":
        signal.raise_signal(signal.SIGTERM)
    cls = getattr(errors, name, None) or getattr(builtins, name)
    made: BaseException = cls("it is so")
    return made


def _fine(action: Action) -> Outcome:
    ladder = Ladder(target=action.target, rungs=(RungResult(rung=Rung.CREATED, ok=True, ms=20), ANSWERED))
    urls = ("http://127.0.0.1:8080/v1",)
    return Outcome(target=action.target, status=Status.CHANGED, ms=1500, action=action, ladder=ladder, urls=urls)


def _broken(action: Action) -> Outcome:
    why = Why(summary="ValueError: no memory", do="llmstack down --service ollama", log_line=212)
    rungs = (RungResult(rung=Rung.CREATED, ok=True, ms=20), RungResult(rung=Rung.PORT, ok=False, ms=40, detail="gone"))
    ladder = Ladder(target=action.target, rungs=rungs, why=why)
    error = UnhealthyError("port: ValueError: no memory", "llmstack down --service ollama")
    return Outcome(target=action.target, status=Status.UNHEALTHY, action=action, ladder=ladder, error=error)
