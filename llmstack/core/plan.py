"""PURE: desired and observed in, reasoned actions out. The same plan feeds `--check`, `--diff`, JSON and the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from llmstack.core.actions import act, act_on_model, astray, blocked, broken, describe, silent, unable
from llmstack.core.desired import Wanted
from llmstack.core.observe import Observed
from llmstack.core.policy import AS_IT_IS, Policy
from llmstack.core.room import makers_of_room
from llmstack.core.select import Picked
from llmstack.core.steps import in_turn
from llmstack.core.upward import models, up
from llmstack.core.versions import anew, beside_registry, file_of
from llmstack.domain.newer import newer
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.server import ServedModel
from llmstack.domain.service import ModelSpec
from llmstack.errors import PluginError, UnhealthyError, UsageError


def plan_up(picked: Sequence[Picked], observed: Observed, policy: Policy = AS_IT_IS) -> Plan:
    """What makes every picked placement true, in order."""
    actions = [action for item in picked for action in up(item, observed, policy)]
    return Plan(_that_fit(in_turn((*_orphans(picked, policy), *actions)), observed))


def _that_fit(actions: tuple[Action, ...], observed: Observed) -> tuple[Action, ...]:
    """The same; refused where somebody has the port or volume that one takes, and nobody sets it free."""
    takers = [index for index, one in enumerate(actions) if one.spec and one.kind.changes and not one.model]
    taken = {index: error for index in takers if (error := observed.told(actions[index].target).broken)}
    makers = makers_of_room(actions) if taken else []
    found = list(actions)
    for index, error in taken.items():
        if not makers[index]:
            refused = replace(actions[index], kind=ActionKind.REFUSED, reason=error.message, error=error)
            found[index] = replace(refused, spec=None, changes=(), needs=())
    return actions if found == list(actions) else _that_fit(tuple(found), observed)


def plan_update(picked: Sequence[Picked], observed: Observed, policy: Policy = AS_IT_IS) -> Plan:
    """As `up`, and what newer defaults would launch otherwise is launched anew."""
    return plan_up(picked, observed, replace(policy, defaults=True))


def plan_restart(picked: Sequence[Picked], observed: Observed, _: Policy = AS_IT_IS) -> Plan:
    """What stops and starts every picked placement, or unloads and loads the models that were named."""
    return Plan(tuple(action for item in picked for action in _restart(item, observed)))


def plan_pull(picked: Sequence[Picked], observed: Observed, _: Policy = AS_IT_IS) -> Plan:
    """What brings the models (and images) of every picked placement, without starting anything."""
    return Plan(tuple(action for item in picked for action in _pull(item, observed)))


def plan_rm(picked: Sequence[Picked], observed: Observed, _: Policy = AS_IT_IS) -> Plan:
    """What deletes the picked models from their servers."""
    return Plan(tuple(action for item in picked for action in _rm(item, observed)))


def plan_down(picked: Sequence[Picked], observed: Observed, policy: Policy = AS_IT_IS) -> Plan:
    """What stops and removes every picked placement, dependants first."""
    return Plan((*(gone for item in reversed(picked) for gone in _down(item, observed)), *_orphans(picked, policy)))


def _orphans(picked: Sequence[Picked], policy: Policy) -> Iterator[Action]:
    for there in policy.orphans:
        reason = astray(there, (item.wanted for item in picked))
        yield Action(kind=ActionKind.REMOVE, target=there.target, reason=reason, observed=there)


def _restart(item: Picked, observed: Observed) -> Iterator[Action]:
    wanted, there = item.wanted, observed.find(item.wanted)
    stop = blocked(wanted, observed) or silent(wanted, observed)
    if wanted.off:
        yield act(ActionKind.KEEP, wanted, "enabled: false")
    elif stop:
        yield stop
    elif _only_models(item) or (wanted.external and wanted.lazy):
        yield from _reload(item, observed)
    elif wanted.external:
        yield act(ActionKind.KEEP, wanted, "external: not llmstack's to restart")
    elif there is None:
        name = wanted.target.name
        yield unable(wanted, UnhealthyError(f"{wanted.target} is not there", f"llmstack up --service {name}"))
    else:
        kind = ActionKind.RESTART if there.running else ActionKind.START
        yield act(kind, wanted, "asked for" if there.running else describe(there), observed=there, spec=there.spec)


def _reload(item: Picked, observed: Observed) -> Iterator[Action]:
    served = observed.told(item.wanted.target).served
    for model in item.models:
        if served is None or item.wanted.find(model, served) is None:
            where = f"in {item.wanted.target}" if served is not None else f"to be told: {item.wanted.target} is silent"
            error = UnhealthyError(f"{model.name} is not {where}", f"llmstack up --model {model.name}")
            yield act_on_model(ActionKind.REFUSED, item.wanted, error.message, model, error=error)
        else:
            yield act_on_model(ActionKind.LOAD, item.wanted, "asked for", model, observed=observed.find(item.wanted))


def _pull(item: Picked, observed: Observed) -> Iterator[Action]:
    wanted = item.wanted
    stop = blocked(wanted, observed) or broken(wanted, observed) or silent(wanted, observed)
    if wanted.off:
        yield act(ActionKind.KEEP, wanted, "enabled: false")
    elif stop:
        yield stop
    elif wanted.spec and (facts := observed.told(wanted.target)).needs:
        spec, reason = anew(wanted.spec, facts)
        yield act(ActionKind.FETCH, wanted, reason, spec=spec, needs=facts.needs)
    elif not wanted.lazy:
        told = map(beside_registry, file_of(wanted, observed))
        yield act(ActionKind.KEEP, wanted, next(told, "already there"))
    if wanted.lazy and not (wanted.off or stop):
        yield from _pull_models(item, observed)


def _pull_models(item: Picked, observed: Observed) -> Iterator[Action]:
    wanted, there = item.wanted, observed.find(item.wanted)
    running = wanted.external or (there is not None and there.running)
    for action in models(item, observed, load=False):
        if not running:
            message = f"{wanted.target} does not run, and only it can pull"
            error = UnhealthyError(message, "llmstack up, then pull")
            yield replace(action, kind=ActionKind.REFUSED, reason=message, error=error)
        else:
            found = action.model and wanted.find(action.model, observed.told(wanted.target).served or ())
            yield replace(action, reason=beside_registry(found)) if found else action


def _rm(item: Picked, observed: Observed) -> Iterator[Action]:
    wanted = item.wanted
    served = observed.told(wanted.target).served
    stop = blocked(wanted, observed) or silent(wanted, observed)
    if stop:
        yield stop
    elif not wanted.lazy:
        unfit = UsageError(f"{wanted.target}: it keeps no models of its own", "`down` removes it; weights stay")
        yield unable(wanted, unfit)
    elif served is None:
        mute = UnhealthyError(f"{wanted.target} does not answer, and only it can delete", "llmstack up, then rm")
        yield unable(wanted, mute)
    else:
        for model, there in _served(item, served):
            reason = "in the server" if there else "not in the server"
            kind = ActionKind.REMOVE if there else ActionKind.KEEP
            yield act_on_model(kind, wanted, reason, model, observed=observed.find(wanted))


def _served(item: Picked, served: Sequence[ServedModel]) -> Iterator[tuple[ModelSpec, ServedModel | None]]:
    for model in item.models:
        yield model, item.wanted.find(model, served)


def _down(item: Picked, observed: Observed) -> Iterator[Action]:
    wanted = item.wanted
    place = (wanted.target.host, wanted.engine)
    if place in observed.errors:
        yield unable(wanted, observed.errors[place])
    elif _only_models(item):
        yield from _unload(item, observed)
    elif wanted.external:
        yield act(ActionKind.KEEP, wanted, "external: not llmstack's to stop")
    elif wanted.adopted:
        yield _stop_adopted(wanted, observed)
    elif there := observed.of(wanted):
        for row in there:
            error = newer(row)
            yield unable(wanted, error) if error else act(ActionKind.REMOVE, wanted, describe(row), observed=row)
    else:
        yield act(ActionKind.KEEP, wanted, "not there")


def _stop_adopted(wanted: Wanted, observed: Observed) -> Action:
    there = observed.find(wanted)
    if there is None or not there.running:
        return act(ActionKind.KEEP, wanted, describe(there) if there else "not there", observed=there)
    return act(ActionKind.STOP, wanted, "adopted: stopped, never removed", observed=there)


def _only_models(item: Picked) -> bool:
    """Some models of a shared service were named: the server and its other models stay."""
    placement = item.wanted.placement
    return item.by_model and not placement.own_model and bool(item.models)


def _unload(item: Picked, observed: Observed) -> Iterator[Action]:
    wanted = item.wanted
    if wanted.type is None:
        yield unable(wanted, wanted.error or PluginError(f"{wanted.target} has no type"))
        return
    for model, there in _served(item, observed.told(wanted.target).served or ()):
        loaded = there is not None and there.loaded
        kind = ActionKind.UNLOAD if loaded else ActionKind.KEEP
        reason = "loaded" if loaded else "not loaded"
        yield act_on_model(kind, wanted, reason, model, observed=observed.find(wanted))
