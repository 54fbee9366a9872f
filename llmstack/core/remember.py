"""Tell the store what a run left behind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from llmstack.core.context import Context, Key
from llmstack.core.desired import Wanted
from llmstack.core.observe import PREVIOUS, in_parallel
from llmstack.domain.codec import digest
from llmstack.domain.event import Event
from llmstack.domain.instance import Instance, InstanceSpec, State
from llmstack.domain.ladder import Ladder, Rung, RungResult
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action, ActionKind
from llmstack.domain.stored import StoredVersion
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import LlmstackError, StoreError
from llmstack.protocols import Ledger, Sink

if TYPE_CHECKING:
    from llmstack.core.look import Look

STARTS = (ActionKind.CREATE, ActionKind.START, ActionKind.RESTART, ActionKind.REPLACE)


class Recorder:
    """A listener that also keeps the events of a run in the store, for as long as the store takes them; what was left
    as it is stands in the result of the run alone."""

    def __init__(self, sink: Sink, ledger: Ledger, run_id: str) -> None:
        self._sink, self._run_id = sink, run_id
        self._ledger: Ledger | None = ledger

    def emit(self, event: Event) -> None:
        """Keep it and pass it on, with the run that it belongs to; an end is noted at once, since others look too."""
        outcome = event.data.get("outcome")
        told = outcome if isinstance(outcome, Outcome) else None
        try:
            if self._ledger and not (told and _kept(told)):
                self._ledger.record(self._run_id, event)
                _keep_end(told, self._ledger)
        except StoreError:  # told once at the end of the run, where its result cannot be noted either
            self._ledger = None
        self._sink.emit(replace(event, run=self._run_id))


def _kept(outcome: Outcome) -> bool:
    return outcome.status is Status.OK and outcome.action is not None and outcome.action.kind is ActionKind.KEEP


def _keep_end(outcome: Outcome | None, ledger: Ledger) -> bool:
    """Note what was removed; whether it was an instance."""
    action = outcome.action if outcome and outcome.status is Status.CHANGED else None
    if action is None or action.kind is not ActionKind.REMOVE or action.model or action.observed is None:
        return False
    if not action.observed.container_name.endswith(PREVIOUS):
        ledger.gone(action.observed.target, action.observed.container_name, on_purpose=True)
    return True


def remember(outcomes: Iterable[Outcome], context: Context, ledger: Ledger) -> None:
    """Rows of what was worked on, and the figures of every climb; raises StoreError.

    Health leaves the rows to `sync`, which tells what it finds changed; what was kept and is known is not asked again.
    """
    touched: dict[Target, Wanted] = {}
    of: dict[Target, list[Outcome]] = {}
    states: dict[Key, State] = {(row.host, row.container_name, row.name): row.state for row in ledger.models()}
    for outcome in outcomes if context.task != "health" else ():
        action = outcome.action
        if not _keep_end(outcome, ledger) and action and action.placement and action.placement.target in context.wanted:
            wanted = context.wanted[action.placement.target]
            of.setdefault(wanted.target, []).append(outcome)
            if outcome.status is not Status.OK or outcome.ladder or not _as_known(action, wanted, states, context):
                touched[wanted.target] = wanted
    places = list(touched.values())
    found = in_parallel(lambda wanted: _now(wanted, context), places, context.forks)
    for wanted, now in zip(places, found, strict=True):
        if now and now[0]:
            look = replace(now[1], state=State.STOPPED) if _stopped(of[wanted.target]) else now[1]
            keep_row(wanted, now[0], look, ledger)
            if any(map(_started, of[wanted.target])):
                if context.wait:
                    _keep_version(wanted, now[0], now[1], context, ledger)
                _keep_peak(wanted, now[0], context, ledger)
            _keep_model_versions(of[wanted.target], wanted, now[1], ledger)
        elif now and wanted.container_name:
            ledger.gone(wanted.target, wanted.container_name)
    _keep_ladders(outcomes, context, ledger)


def _as_known(action: Action, wanted: Wanted, states: Mapping[Key, State], context: Context) -> bool:
    """PURE: whether something was left as it is, and just that is noted already: all is active, or nothing there."""
    if action.kind is not ActionKind.KEEP or wanted.external or _is_another(action, wanted, context):
        return False
    names = names_of(action, wanted)
    keys = [(wanted.target.host, wanted.container_name, name) for name in names]
    known = [states.get(key, State.ABSENT) for key in keys]
    if action.model or action.observed:
        return all(state.active for state in known)
    return all(state is State.ABSENT for state in known)


def _stopped(outcomes: Iterable[Outcome]) -> bool:
    """PURE: whether its end was ours; of one that had to be killed no engine tells."""
    done = [outcome.action.kind for outcome in outcomes if outcome.action and outcome.status is Status.CHANGED]
    return done[-1:] == [ActionKind.STOP]


def is_unproved(action: Action, wanted: Wanted, context: Context) -> bool:
    """PURE: whether it was begun, as far as anybody remembers, but not seen to answer since; or is another container
    than the one that was."""
    return action.target in context.begun or (_is_another(action, wanted, context) and not wanted.lazy)


def _is_another(action: Action, wanted: Wanted, context: Context) -> bool:
    """PURE: whether somebody else (a run that was killed) made what is there."""
    there, place = action.observed, (wanted.target.host, wanted.container_name)
    rows = filter(None, (context.known.get((*place, name)) for name in names_of(action, wanted)))
    return there is not None and any(row.container_id not in (None, there.id) for row in rows)


def names_of(action: Action, wanted: Wanted) -> list[str]:
    """The names in the store of what an action is about."""
    return [action.model.name] if action.model else _names(wanted)


def _now(wanted: Wanted, context: Context) -> tuple[Instance | None, Look] | None:
    """What is there (None: nothing) and how it looks; None when nobody can tell."""
    from llmstack.core.look import try_look

    with suppress(LlmstackError):
        if wanted.external or wanted.container_name:
            there = full_instance(wanted, context)
            return there, try_look(context, wanted, there)
    return None


def full_instance(wanted: Wanted, context: Context) -> Instance | None:
    """The instance with what only an inspect tells: restarts, times, how it ended. Raises what the engine raises."""
    return external_instance(wanted, context.stack) if wanted.external else context.inspect(wanted)


def external_instance(wanted: Wanted, stack: str | None = None) -> Instance:
    """An external service as a row of the store knows it: its address is its name."""
    service = wanted.placement.service
    return Instance(
        id=service.url or "",
        container_name=f"external-{service.name}",
        service=service.name,
        host=wanted.target.host,
        engine=wanted.engine,
        state=State.READY,
        stack=stack,
        running=True,
    )


def keep_row(wanted: Wanted, there: Instance, seen: Look, ledger: Ledger) -> None:
    """One row per model of a service (or one for a companion), each with its own state and version."""
    from llmstack.core.look import look_at_model

    models = wanted.enabled_models()
    if not models or seen.served is None:
        ledger.seen(replace(there, state=seen.state), _names(wanted), seen.version, seen.url)
        return
    for model in models:
        found = look_at_model(wanted, model, seen)
        if found.state is State.ABSENT:
            ledger.gone(Target(model.name, there.host, TargetKind.MODEL), there.container_name)
        else:
            ledger.seen(replace(there, state=found.state), [model.name], found.version, seen.url)


def _names(wanted: Wanted) -> list[str]:
    return [model.name for model in wanted.enabled_models()] or [wanted.placement.service.name]


def _keep_version(wanted: Wanted, there: Instance, seen: Look, context: Context, ledger: Ledger) -> None:
    """Of its image, as far as the engine tells, and of the model file that it serves."""
    from llmstack.domain.weights import manifest_of

    spec, weights = wanted.spec, there.spec.weights if there.spec else None
    if weights and wanted.placement.models:
        target, file = wanted.target_of(wanted.placement.models[0]), manifest_of(weights) if weights.remote else None
        version = StoredVersion(target=target, source=weights.source, digest=weights.fingerprint)
        ledger.proved(replace(version, version=file.sha256 if file else None))
    try:
        pins = context.engine(wanted).pins(there.image_id) if there.image_id else ()
    except LlmstackError:
        return
    if pins and spec and spec.image:
        ledger.proved(StoredVersion(target=wanted.target, source=spec.image, digest=pins[0], version=seen.version))


def _keep_peak(wanted: Wanted, there: Instance, context: Context, ledger: Ledger) -> None:
    """What it took to get as far as an answer, for when its like is decided next.

    Nothing yet where nobody waited: what it takes later counts for the GPU that it has now.
    """
    from llmstack.core.deciding import footprint_of, given, kind_of, peak_key
    from llmstack.core.gpus import holders, with_gpu
    from llmstack.domain.measured import Peak
    from llmstack.domain.usage import Usage

    spec, name, usage = there.spec, there.container_name, Usage()
    key = peak_key(context, wanted, spec, footprint_of(wanted, spec)) if spec else None
    if key is None or spec is None:
        return
    gpus = (context.gpus.gpus() or ()) if wanted.placement.host.local else ()
    with suppress(LlmstackError, KeyError):
        if context.wait:
            usage = context.engine(wanted).usages([name])[name]
            usage = with_gpu(usage, name, gpus, holders(gpus, context), spec)
    ledger.keep_peak(
        Peak(
            *key,
            gpu_kind=kind_of(spec.limits.gpus, given(spec.limits.gpus, gpus)),
            host=there.host,
            container_name=name,
            memory_bytes=usage.memory_bytes,
            gpu_bytes=usage.gpu_memory_bytes or None,
        )
    )


def _keep_model_versions(outcomes: Iterable[Outcome], wanted: Wanted, seen: Look, ledger: Ledger) -> None:
    """Of the models that were brought and answered, by their digests."""
    for outcome in outcomes:
        model = outcome.action.model if outcome.action and outcome.ladder and outcome.ladder.ok else None
        found = wanted.find(model, seen.served or ()) if model else None
        if model and found and found.digest:
            source = wanted.kind.served_name(model)
            ledger.proved(StoredVersion(target=outcome.target, source=source, digest=found.digest))


def _keep_ladders(outcomes: Iterable[Outcome], context: Context, ledger: Ledger) -> None:
    for outcome in outcomes:
        placement = outcome.action.placement if outcome.action else None
        ladder = outcome.ladder or _begun(outcome, context)
        undone = outcome.error is not None and outcome.error.data.get("rolled_back")  # what climbed is gone again
        if ladder and placement and not (undone or _only_looked(outcome)):
            name = context.wanted[placement.target].container_name or f"external-{placement.service.name}"
            spec = _started(outcome) if context.wait else None
            ledger.climbed(ladder, name, started_spec=digest(spec) if spec else None)


def keep_devices(outcomes: Iterable[Outcome], context: Context, ledger: Ledger) -> None:
    """The climbs that found out on which device something runs: nobody who only lists it can tell."""
    _keep_ladders((one for one in outcomes if one.ladder and one.ladder.find(Rung.DEVICE)), context, ledger)


def _begun(outcome: Outcome, context: Context) -> Ladder | None:
    """PURE: how far something has come that was fetched, or found to be another, and nobody waited for its answer."""
    action, rung = outcome.action, None
    if action and action.model and action.kind in (ActionKind.FETCH, ActionKind.LOAD):
        rung = Rung.WEIGHTS
    elif action and action.placement and action.kind is ActionKind.KEEP:
        another = _is_another(action, context.wanted[action.placement.target], context)
        rung = Rung.RUNNING if another else None
    if rung is None or outcome.status not in (Status.OK, Status.CHANGED):
        return None
    return Ladder(target=outcome.target, rungs=(RungResult(rung=rung, ok=True, ms=outcome.ms),))


def _only_looked(outcome: Outcome) -> bool:
    """Whether it was seen not to run: that tells nothing of how its last climb ended."""
    looked = outcome.action is not None and outcome.action.kind is ActionKind.KEEP
    return looked and outcome.fallen in (Rung.CREATED, Rung.RUNNING)


def _started(outcome: Outcome) -> InstanceSpec | None:
    """The spec that was started, and proved to be ready where the run waits for that."""
    action = outcome.action
    return action.spec if action and action.kind in STARTS and outcome.status is Status.CHANGED else None
