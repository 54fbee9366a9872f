"""PURE: desired and observed in, reasoned actions out. The same plan feeds `--check`, `--diff`, JSON and `up`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from llmstack.core.desired import Wanted
from llmstack.core.diff import changes, outdated
from llmstack.core.observe import Observed
from llmstack.core.select import Picked
from llmstack.domain.instance import SPEC_SCHEMA, Instance, InstanceSpec, Need, State
from llmstack.domain.plan import Action, ActionKind, FieldChange, Plan
from llmstack.domain.server import Life, ServedModel
from llmstack.domain.service import ModelSpec
from llmstack.domain.target import Target, TargetKind
from llmstack.errors import LlmstackError, PluginError, UnhealthyError, UnreachableError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How to plan: `orphans` go too, and with `re_decide` what was once decided for `auto` is open again."""

    orphans: tuple[Instance, ...] = ()
    re_decide: bool = False


AS_IT_IS = Policy()


def plan_up(picked: Sequence[Picked], observed: Observed, policy: Policy = AS_IT_IS) -> Plan:
    """What makes every picked placement true, in order."""
    actions = [action for item in picked for action in _up(item, observed)]
    return Plan((*_orphans(policy), *actions))


def plan_pull(picked: Sequence[Picked], observed: Observed, _: Policy = AS_IT_IS) -> Plan:
    """What brings the models (and images) of every picked placement, without starting anything."""
    return Plan(tuple(action for item in picked for action in _pull(item, observed)))


def plan_down(picked: Sequence[Picked], observed: Observed, policy: Policy = AS_IT_IS) -> Plan:
    """What stops and removes every picked placement, dependants first."""
    actions = [action for item in reversed(picked) for action in _down(item, observed)]
    return Plan((*actions, *_orphans(policy)))


def _orphans(policy: Policy) -> Iterator[Action]:
    for there in policy.orphans:
        yield Action(kind=ActionKind.REMOVE, target=there.target, reason="not in the inventory", observed=there)


def _up(item: Picked, observed: Observed) -> Iterator[Action]:
    wanted = item.wanted
    blocked = _blocked(wanted, observed)
    if blocked:
        yield blocked
    elif wanted.off:
        yield from _off(wanted, observed)
    elif wanted.external:
        yield from _external(item, observed)
    else:
        yield from _moved(wanted, observed)
        actions = tuple(_one_of_two(wanted, observed, _instance(wanted, observed)))
        yield from actions
        yield from _models(item, observed, running=any(action.kind is ActionKind.KEEP for action in actions))


def _blocked(wanted: Wanted, observed: Observed) -> Action | None:
    """Why nothing can be done with this placement at all."""
    place = (wanted.target.host, wanted.engine)
    if place in observed.errors:
        return _unable(wanted, ActionKind.UNREACHABLE, observed.errors[place])
    if wanted.error and not wanted.off:
        return _unable(wanted, ActionKind.REFUSED, wanted.error)
    there = observed.find(wanted)
    if there and (error := _newer(there)):
        return _unable(wanted, ActionKind.REFUSED, error)
    if there and there.spec is None:
        message = f"{there.container_name} is there, but carries no label of llmstack's"
        unknown = UsageError(message, "remove or rename it, or give the service another name")
        return _unable(wanted, ActionKind.REFUSED, unknown)
    return None


def _newer(there: Instance) -> LlmstackError | None:
    if there.schema is None or there.schema <= SPEC_SCHEMA:
        return None
    message = f"{there.container_name} was written by a newer llmstack (spec {there.schema}, known {SPEC_SCHEMA})"
    return PluginError(message, "upgrade llmstack on this machine")


def _unable(wanted: Wanted, kind: ActionKind, error: LlmstackError) -> Action:
    return Action(kind=kind, target=wanted.target, reason=error.message, placement=wanted.placement, error=error)


def _off(wanted: Wanted, observed: Observed) -> Iterator[Action]:
    there = [row for row in observed.rows() if row.target == wanted.target]
    for row in there:
        yield _act(ActionKind.REMOVE, wanted, "enabled: false", observed=row)
    if not there:
        yield _act(ActionKind.KEEP, wanted, "enabled: false")


def _external(item: Picked, observed: Observed) -> Iterator[Action]:
    wanted = item.wanted
    stop = _broken(wanted, observed) or _silent(wanted, observed)
    if stop:
        yield stop
        return
    yield _act(ActionKind.KEEP, wanted, "external")
    yield from _models(item, observed, running=True)


def _broken(wanted: Wanted, observed: Observed) -> Action | None:
    error = observed.broken.get(wanted.target)
    return _unable(wanted, ActionKind.REFUSED, error) if error else None


def _silent(wanted: Wanted, observed: Observed) -> Action | None:
    """An external service that does not answer."""
    life = observed.lives.get(wanted.target)
    if not wanted.external or (life and life.life is not Life.SILENT):
        return None
    detail = f": {life.detail}" if life and life.detail else ""
    message = f"nothing answers at {wanted.placement.service.url}{detail}"
    return _unable(wanted, ActionKind.UNREACHABLE, UnreachableError(message, "llmstack does not run it: start it"))


def _moved(wanted: Wanted, observed: Observed) -> Iterator[Action]:
    """The same service on another engine of the host: it holds the port, so it goes first."""
    for there in observed.rows():
        if there.target == wanted.target and there.engine != wanted.engine:
            reason = f"now runs on {wanted.engine}, not on {there.engine}"
            yield _act(ActionKind.REMOVE, wanted, reason, observed=there)


def _one_of_two(wanted: Wanted, observed: Observed, action: Action) -> Iterator[Action]:
    """A replace that was killed may have left two. The new one stays if it runs; else the old one, which ran before,
    is replaced once more, so that it can come back."""
    previous = observed.previous.get((wanted.target, wanted.engine))
    there = observed.find(wanted)
    if previous is None or there is None or action.kind is ActionKind.REFUSED:
        yield action
    elif there.running and there is not previous:
        rest = _act(ActionKind.REMOVE, wanted, "left by an interrupted replace", observed=previous)
        yield from (action, rest) if action.kind is ActionKind.KEEP else (rest, action)
    else:
        if there is not previous:
            yield _act(ActionKind.REMOVE, wanted, "left half done by an interrupted replace", observed=there)
        assert wanted.spec is not None
        spec = _sticky(wanted.spec, previous.spec) if previous.spec else wanted.spec
        reason = "finish an interrupted replace"
        yield _begin(ActionKind.REPLACE, wanted, spec, reason, observed=observed, there=previous)


def _instance(wanted: Wanted, observed: Observed) -> Action:
    spec, there = wanted.spec, observed.find(wanted)
    assert spec is not None
    if wanted.target in observed.broken:
        return _unable(wanted, ActionKind.REFUSED, observed.broken[wanted.target])
    if there is None or there.spec is None:
        return _begin(ActionKind.CREATE, wanted, spec, "not there", observed=observed)
    differences = changes(spec, there.spec)
    spec = _sticky(spec, there.spec)
    if differences:
        reason = ", ".join(f"{change.field} differs" for change in differences)
        return _begin(ActionKind.REPLACE, wanted, spec, reason, observed=observed, there=there, differences=differences)
    if there.state in (State.STOPPED, State.CRASHED):
        # A process has its secrets only in memory: what lost them must be created again.
        kind = ActionKind.REPLACE if spec.secrets and spec.engine == "process" else ActionKind.START
        return _begin(kind, wanted, spec, describe(there), observed=observed, there=there)
    reason = "as wanted, though newer defaults would launch it otherwise" if outdated(spec, there.spec) else "as wanted"
    return _act(ActionKind.KEEP, wanted, reason, observed=there, spec=there.spec)


def _begin(
    kind: ActionKind,
    wanted: Wanted,
    spec: InstanceSpec,
    reason: str,
    *,
    observed: Observed,
    there: Instance | None = None,
    differences: Sequence[FieldChange] = (),
) -> Action:
    needs = observed.needs.get(wanted.target, ())
    if kind is ActionKind.START:  # its image is in it already
        needs = tuple(need for need in needs if need.kind != "image")
    return _act(kind, wanted, reason, observed=there, spec=spec, changes=tuple(differences), needs=needs)


def _sticky(spec: InstanceSpec, there: InstanceSpec) -> InstanceSpec:
    """What was `auto` stays as it was decided."""
    if spec.port == "auto" and there.host_port is not None:
        return spec.with_decided(port=str(there.host_port))
    return spec


def _models(item: Picked, observed: Observed, *, running: bool) -> Iterator[Action]:
    """A fetch for each picked model that the server does not have; what it has is kept."""
    wanted = item.wanted
    if not wanted.lazy:
        return
    served = observed.served.get(wanted.target) if running else None
    for model in item.models:
        target = Target(model.name, wanted.target.host, TargetKind.MODEL)
        if model.enabled:
            yield _model(wanted, model, target, served)


def _model(wanted: Wanted, model: ModelSpec, target: Target, served: tuple[ServedModel, ...] | None) -> Action:
    if served is not None and wanted.find(model, served):
        return _act(ActionKind.KEEP, wanted, "as wanted", target=target, model=model)
    reason = "not in the server" if served is not None else "told when the server runs"
    need = Need(kind="model", name=wanted.kind.served_name(model))
    return _act(ActionKind.FETCH, wanted, reason, target=target, model=model, needs=(need,))


def _pull(item: Picked, observed: Observed) -> Iterator[Action]:
    wanted = item.wanted
    stop = _blocked(wanted, observed) or _broken(wanted, observed) or _silent(wanted, observed)
    there = observed.find(wanted)
    if wanted.off:
        yield _act(ActionKind.KEEP, wanted, "enabled: false")
    elif stop:
        yield stop
    elif wanted.lazy:
        running = wanted.external or (there is not None and there.running)
        if running:
            for action in _models(item, observed, running=True):
                yield replace(action, reason="already there") if action.kind is ActionKind.KEEP else action
        else:
            error = UnhealthyError(f"{wanted.target} does not run, and only it can pull", "llmstack up, then pull")
            yield _unable(wanted, ActionKind.REFUSED, error)
    elif wanted.spec and (needs := observed.needs.get(wanted.target, ())):
        yield _act(ActionKind.FETCH, wanted, "not there", spec=wanted.spec, needs=needs)
    else:
        yield _act(ActionKind.KEEP, wanted, "already there")


def _down(item: Picked, observed: Observed) -> Iterator[Action]:
    wanted = item.wanted
    place = (wanted.target.host, wanted.engine)
    if place in observed.errors:
        yield _unable(wanted, ActionKind.UNREACHABLE, observed.errors[place])
    elif _only_models(item):
        yield from _unload(item, observed)
    elif wanted.external:
        yield _act(ActionKind.KEEP, wanted, "external: not llmstack's to stop")
    elif there := [row for row in observed.rows() if row.target == wanted.target]:
        for row in there:
            error = _newer(row)
            gone = _act(ActionKind.REMOVE, wanted, describe(row), observed=row)
            yield _unable(wanted, ActionKind.REFUSED, error) if error else gone
    else:
        yield _act(ActionKind.KEEP, wanted, "not there")


def _only_models(item: Picked) -> bool:
    """Some models of a shared service were named: the server and its other models stay."""
    placement = item.wanted.placement
    return item.by_model and not placement.own_model and bool(item.models)


def _unload(item: Picked, observed: Observed) -> Iterator[Action]:
    wanted = item.wanted
    if wanted.type is None:
        yield _unable(wanted, ActionKind.REFUSED, wanted.error or PluginError(f"{wanted.target} has no type"))
        return
    served = observed.served.get(wanted.target) or ()
    for model in item.models:
        target = Target(model.name, wanted.target.host, TargetKind.MODEL)
        there = wanted.find(model, served)
        loaded = there is not None and there.loaded
        kind = ActionKind.UNLOAD if loaded else ActionKind.KEEP
        reason = "loaded" if loaded else "not loaded"
        yield _act(kind, wanted, reason, target=target, model=model, observed=observed.find(wanted))


def _act(kind: ActionKind, wanted: Wanted, reason: str, **more: object) -> Action:
    target = more.pop("target", wanted.target)
    return Action(kind=kind, target=target, reason=reason, placement=wanted.placement, **more)  # type: ignore[arg-type]


def describe(there: Instance) -> str:
    """In a few words, what an instance is doing and why, as far as its engine tells."""
    parts = [there.state.value if there.state is not State.STARTING else "running"]
    if there.exit_code is not None and not there.running:
        parts.append(f"exit {there.exit_code}")
    if there.out_of_memory:
        parts.append("out of memory")
    if there.restarts:
        parts.append(f"{there.restarts} restart{'' if there.restarts == 1 else 's'}")
    return ", ".join(parts)
