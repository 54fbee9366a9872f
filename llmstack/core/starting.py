"""What create, start and replace share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from llmstack.core.context import Context
from llmstack.core.desired import Wanted
from llmstack.core.fetching import fetched
from llmstack.core.ladder import Climb
from llmstack.domain.event import EventType
from llmstack.domain.instance import InstanceSpec, Need
from llmstack.domain.ladder import Ladder, Rung
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action
from llmstack.domain.resources import AUTO
from llmstack.errors import UnhealthyError
from llmstack.protocols import Engine, Report


def decided(action: Action, engine: Engine, context: Context) -> InstanceSpec:
    """The action's spec with what is still `auto` decided: no two of a run get one port, whatever their engines."""
    spec = action.spec
    assert spec is not None
    if spec.port != "auto" or spec.host_port is not None:
        return spec
    with context.turn("ports", spec.host):
        wish = spec
        while (spec.host, port := engine.decide_port(wish)) in context.promised:
            wish = replace(wish, container_port=port + 1)
        context.promised.add((spec.host, port))
    return spec.with_decided(port=str(port))


def announce(action: Action, context: Context, spec: InstanceSpec | None) -> None:
    """Tell what is being worked on: type, engine, source and where it will be reached."""
    placement = action.placement
    assert placement is not None
    where = f"{spec.bind}:{spec.host_port}" if spec and spec.host_port else placement.service.url
    runs = f"{placement.service.type} on {context.wanted_of(action).engine}" if spec else placement.service.type
    message = " · ".join(part for part in (runs, _source(action, spec), where) if part)
    context.emit(EventType.START, action.target, message)


def _source(action: Action, spec: InstanceSpec | None) -> str | None:
    """What is served, in a word: the model of this target, the weights' file name, or the image."""
    if action.model:
        return action.model.source
    if spec and spec.weights:
        return spec.weights.path.rsplit("/", 1)[-1].removesuffix(".gguf")
    return spec.image if spec else None


def fetch_needs(action: Action, context: Context, engine: Engine, spec: InstanceSpec, *, image: bool = True) -> None:
    """Bring the image (what was created has it in it) and weights. Raises FetchError, InterruptedRunError."""
    for need in engine.missing(spec):
        if need.kind == "image" and not image:
            continue
        context.once(partial(_bring, need, action, context, engine, spec), "fetch", spec.host, need.kind, need.name)


def _bring(need: Need, action: Action, context: Context, engine: Engine, spec: InstanceSpec) -> None:
    patience_s = context.wanted_of(action).placement.service.stall_timeout_s
    for step in _steps(need, context, engine, spec):
        fetched(need.name, step, partial(context.report, action.target), context.clock, patience_s)


def _steps(need: Need, context: Context, engine: Engine, spec: InstanceSpec) -> Iterator[Callable[[Report], None]]:
    """How a need comes; a file from elsewhere to this machine first, unless the host has it."""
    if need.kind == "weights" and spec.weights and spec.weights.remote:
        shelf = engine.shelf(spec.stack)
        there = shelf.files() if shelf else ()
        if any(each.fingerprint == spec.weights.fingerprint and not each.broken for each in there):
            return
        if shelf:
            engine.facts().check_room(f"{need.name} on {spec.host}", context.sizes.get(need.name))
        from llmstack.modeltype.folder import obtain

        yield partial(obtain, spec.weights)
    yield partial(engine.fetch, need, spec)


def start_and_climb(engine: Engine, climb: Climb, context: Context) -> Ladder:
    """Start the instance that was created and climb, one at a time on each GPU; without `wait` only until it runs."""
    assert climb.there is not None
    name = climb.there.container_name
    with ExitStack() as turns:
        for gpu in gpus_of(climb.wanted, context):
            turns.enter_context(context.turn("gpu", climb.target.host, gpu))
        context.check()
        engine.start(name)
        if not context.wait:
            climb.note(Rung.RUNNING)
            return Ladder(target=climb.target, rungs=tuple(climb.rungs))
        climb.there = engine.inspect(name) or climb.there
        climb.note(Rung.RUNNING)
        return climb.climb()


def gpus_of(wanted: Wanted, context: Context) -> list[str]:
    """PURE: what stands for the GPUs that an instance may warm up on, sorted; what takes any takes every one that
    somebody on its host named."""
    mine = wanted.placement.service.resources.gpus
    if not mine or _named(mine):
        return sorted(mine)
    near = (item.placement for item in context.wanted.values() if item.target.host == wanted.target.host)
    others = (placement.service.resources.gpus for placement in near)
    return sorted({"any", *(gpu for gpus in others if _named(gpus) for gpu in gpus)})


def _named(gpus: tuple[str, ...]) -> bool:
    return not (gpus in (("all",), (AUTO,)) or gpus[:1] == () or gpus[0].isdigit())


ELSEWHERE = "llmstack does not run it: look at it there, or correct `url:`"


def judge(action: Action, ladder: Ladder, good: Status, where: tuple[str, ...]) -> Outcome:
    """The outcome of a climb: `good`, or unhealthy with the reason."""
    if ladder.ok:
        return Outcome(
            target=action.target, status=good, reason=action.reason, action=action, ladder=ladder, urls=where
        )
    failed = next(rung for rung in ladder.rungs if rung.ok is False)
    why = ladder.why
    elsewhere = action.placement is not None and action.placement.service.url is not None
    look = ELSEWHERE if elsewhere else f"llmstack logs --service {_service(action)}"
    hint = why.do if why and why.do else look
    told = "; ".join(dict.fromkeys(filter(None, (failed.detail, why.summary if why else None))))
    error = UnhealthyError(f"{failed.rung}: {told}", hint, rung=failed.rung.value)
    return Outcome(
        target=action.target,
        status=Status.UNHEALTHY,
        reason=error.message,
        action=action,
        ladder=ladder,
        error=error,
        urls=where,
    )


_CHANGE = (
    "change {0} in the inventory by the last lines of its log, here and in `llmstack history`, then "
    "`llmstack up --service {0}`"
)


def rolled_back(outcome: Outcome, back: str) -> Outcome:
    """The outcome of a climb that failed, with what is `back` in its place, in words."""
    hint, ladder, action = outcome.error.hint if outcome.error else None, outcome.ladder, outcome.action
    why = ladder.why if ladder else None
    if action and not action.model and not (why and why.do):  # `logs` would show those of the old one
        hint = _CHANGE.format(_service(action))
    error = UnhealthyError(f"{outcome.reason}; {back}", hint, rolled_back=True)
    if ladder and why:
        meaning = " ".join(filter(None, (why.meaning, f"{back.capitalize()}.")))
        ladder = replace(ladder, why=replace(why, meaning=meaning, do=why.do or hint))
    return replace(outcome, reason=error.message, error=error, ladder=ladder, urls=())


def _service(action: Action) -> str:
    return action.placement.service.name if action.placement else action.target.name
