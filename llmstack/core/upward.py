"""PURE: what makes one placement true: create, replace, start or keep its instance, fetch its models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmstack.core.actions import act, act_on_model, begin, blocked, broken, describe, silent, unable
from llmstack.core.desired import Wanted
from llmstack.core.diff import all_of, changes, defaults_changed
from llmstack.core.generations import stateful
from llmstack.core.observe import PREVIOUS, Observed
from llmstack.core.policy import Policy
from llmstack.core.select import Picked
from llmstack.core.versions import anew, file_of, image_change, is_newer, is_other, renewed, renewed_file, sticky_file
from llmstack.domain.instance import NO_NETWORK, WHY, Instance, InstanceSpec, Need, State
from llmstack.domain.plan import Action, ActionKind, FieldChange
from llmstack.domain.service import ModelSpec

RESTING = (State.STOPPED, State.CRASHED)


def up(item: Picked, observed: Observed, policy: Policy) -> Iterator[Action]:
    """The actions on one placement, in order."""
    wanted = item.wanted
    stop = blocked(wanted, observed)
    if stop:
        yield stop
    elif wanted.off:
        yield from _off(wanted, observed)
    elif wanted.external:
        yield from _external(item, observed)
    elif wanted.adopted:
        yield from _adopted(item, observed)
    else:
        yield from _moved(wanted, observed)
        actions = tuple(_one_of_two(wanted, observed, _instance(wanted, observed, policy)))
        yield from actions
        yield from models(item, observed, _models_after(actions))


def _off(wanted: Wanted, observed: Observed) -> Iterator[Action]:
    there = () if wanted.adopted else observed.of(wanted)
    for row in there:
        yield act(ActionKind.REMOVE, wanted, "enabled: false", observed=row)
    if not there:
        yield act(ActionKind.KEEP, wanted, "enabled: false")


def _external(item: Picked, observed: Observed) -> Iterator[Action]:
    stop = broken(item.wanted, observed) or silent(item.wanted, observed)
    if stop:
        yield stop
        return
    yield act(ActionKind.KEEP, item.wanted, "external")
    yield from models(item, observed)


def _adopted(item: Picked, observed: Observed) -> Iterator[Action]:
    """Somebody else's container: it is started where it rests, and never made, changed or removed."""
    there = observed.find(item.wanted)
    assert there is not None
    kind = ActionKind.START if there.state in RESTING else ActionKind.KEEP
    reason = f"adopted, {describe(there)}" if kind is ActionKind.START else "adopted"
    yield act(kind, item.wanted, "; ".join((reason, *_otherwise(item.wanted, there))), observed=there)
    yield from models(item, observed, kind)


def _otherwise(wanted: Wanted, there: Instance) -> Iterator[str]:
    """What the inventory says of an adopted container, and is not so; llmstack changes none."""
    service = wanted.placement.service
    port = None if service.port == "auto" else service.port
    for name, said, found in (("image", service.image, there.image), ("port", port, there.port)):
        if said and said != found:
            yield f"its {name} is {found or 'not published'}, not {said} as in the inventory"


def _moved(wanted: Wanted, observed: Observed) -> Iterator[Action]:
    """The same service on another engine of the host: it holds the port, so it goes first."""
    for there in observed.of(wanted):
        if there.engine != wanted.engine:
            reason = f"now runs on {wanted.engine}, not on {there.engine}"
            yield act(ActionKind.REMOVE, wanted, reason, observed=there)


def _one_of_two(wanted: Wanted, observed: Observed, action: Action) -> Iterator[Action]:
    """A replace that was killed may have left two. The new one stays if it runs; else the old one, which ran before,
    is replaced once more, so that it can come back. With data at stake, what the new one made of its copy counts if it
    has been used for long, and is not to be built on if it has not."""
    previous = observed.previous.get((wanted.target, wanted.engine))
    there = observed.find(wanted)
    if previous is None or there is None or action.kind is ActionKind.REFUSED:
        yield action
        yield from _tidied(wanted, observed, action)
    elif there is not previous and _stays(wanted, there, observed, action):
        rest = act(ActionKind.REMOVE, wanted, "left by an interrupted replace", observed=previous)
        yield from (action, rest) if action.kind is ActionKind.KEEP else (rest, action)
        yield from _tidied(wanted, observed, action)
    else:
        if there is not previous:
            yield act(ActionKind.REMOVE, wanted, "left half done by an interrupted replace", observed=there)
        assert wanted.spec is not None
        spec = _sticky(wanted.spec, previous.spec) if previous.spec else wanted.spec
        reason = "finish an interrupted replace"
        yield begin(ActionKind.REPLACE, wanted, spec, reason, observed=observed, there=previous)


def _stays(wanted: Wanted, there: Instance, observed: Observed, action: Action) -> bool:
    if observed.told(wanted.target).settled:
        return True
    return there.running and not (stateful(wanted) and action.kind is ActionKind.REPLACE)


def _tidied(wanted: Wanted, observed: Observed, action: Action) -> Iterator[Action]:
    """What is left when a replace was killed at its very end: the volumes of the old one."""
    if action.kind in (ActionKind.KEEP, ActionKind.START) and (copies := observed.told(wanted.target).copies):
        reason = f"left by an interrupted replace: {', '.join(copies)}"
        yield act(ActionKind.TIDY, wanted, reason, observed=observed.find(wanted))


def _instance(wanted: Wanted, observed: Observed, policy: Policy) -> Action:
    spec, there, facts = wanted.spec, observed.find(wanted), observed.told(wanted.target)
    assert spec is not None
    of_planner = {"port"} if there else {"port", "volume"}
    if facts.broken and not of_planner & facts.broken.data.keys():
        return unable(wanted, facts.broken)
    if there is None or there.spec is None:
        spec, reason = anew(spec, facts)
        return begin(ActionKind.CREATE, wanted, spec, reason, observed=observed, differences=all_of(spec))
    reason, differences = _differs(spec, there.spec, policy)
    spec = (sticky_file if wanted.target in policy.re_decide else _sticky)(spec, there.spec)
    if policy.defaults and facts.newest and is_other(facts.newest, facts.pins):
        spec = spec.with_decided(image=facts.newest)
        reason = f"{reason}, a newer image" if differences else "a newer image"
        differences = (*differences, image_change(facts.pins, facts.newest))
    if policy.defaults and not differences and any(map(is_newer, file_of(wanted, observed))):
        spec = renewed_file(spec, file_of(wanted, observed))
        reason, differences = "a newer model file", (FieldChange("weights", "", spec.decided["weights"]),)
    if differences:
        made_by = there.spec.inventory
        reason += f"; made by {made_by}" if made_by and made_by != spec.inventory else ""
        reason += "; its data are copied first" * stateful(wanted)
        return begin(ActionKind.REPLACE, wanted, spec, reason, observed=observed, there=there, differences=differences)
    if there.error == NO_NETWORK:
        return begin(ActionKind.REPLACE, wanted, spec, describe(there), observed=observed, there=there)
    if there.state in RESTING:
        # A process has its secrets only in memory: what lost them must be created again.
        kind = ActionKind.REPLACE if spec.secrets and spec.engine == "process" else ActionKind.START
        return begin(kind, wanted, spec, describe(there), observed=observed, there=there)
    return act(ActionKind.KEEP, wanted, _as_wanted(wanted, there, observed), observed=there, spec=there.spec)


def _differs(spec: InstanceSpec, there: InstanceSpec, policy: Policy) -> tuple[str, tuple[FieldChange, ...]]:
    """Why an instance must be replaced, and each field; no fields when it need not be."""
    found = changes(spec, there)
    if not found and spec.target in policy.re_decide and spec.autos:
        return "decided anew", tuple(_reopened(there, name) for name in spec.autos)
    if not found and policy.defaults:
        return "newer defaults", defaults_changed(spec, there)
    return ", ".join(f"{change.label} differs" for change in found), found


def _reopened(there: InstanceSpec, name: str) -> FieldChange:
    decided = str(there.host_port) if name == "port" else there.decided.get(name) or "none"
    return FieldChange(name, decided if name.endswith("_bytes") else f"auto ({decided})", "auto")


def _as_wanted(wanted: Wanted, there: Instance, observed: Observed) -> str:
    reason = "as wanted"
    if wanted.spec and there.spec and defaults_changed(wanted.spec, there.spec):
        reason += ", though newer defaults would launch it otherwise: `update` takes them"
    facts = observed.told(wanted.target)
    served = facts.served or ()
    if facts.pins and not facts.newest:
        reason += "; whether its registry has a newer image is unknown"
    if any(file.newest is None for file in file_of(wanted, observed)):
        reason += "; whether its source has a newer model file is unknown"
    if facts.by_hand:
        reason += f"; not as it was made: {facts.by_hand}; `down` and `up` make it anew"
    known = [found for model in wanted.placement.models if (found := wanted.find(model, served))]
    beside = [model.name for model in served if model not in known and not model.name.endswith(PREVIOUS)]
    return f"{reason}; also holds {', '.join(beside)}, not in the inventory" if beside else reason


def _sticky(spec: InstanceSpec, there: InstanceSpec) -> InstanceSpec:
    """What was `auto` stays as it was decided, and so does which image its name means."""
    if spec.image == there.image and (image := there.decided.get("image")):
        spec = spec.with_decided(image=image)
    if spec.port == "auto" and there.host_port is not None:
        spec = spec.with_decided(port=str(there.host_port))
    kept = {name for field in spec.resources.autos for name in (field, WHY + field)}
    spec = sticky_file(spec, there)
    return spec.with_decided(**{name: value for name, value in there.decided.items() if name in kept})


def _models_after(actions: Sequence[Action]) -> ActionKind:
    """What the server goes through: `keep`, a `replace` that leaves it its weights, or a `start` of which nobody knows
    what it will have."""
    kinds = {action.kind for action in actions}
    if ActionKind.KEEP in kinds:
        return ActionKind.KEEP
    same = any(_same_volumes(action.spec, action.observed) for action in actions if action.kind is ActionKind.REPLACE)
    return ActionKind.REPLACE if same else ActionKind.START


def _same_volumes(spec: InstanceSpec | None, there: Instance | None) -> bool:
    """Whether both keep their data in the same places."""
    if spec is None or there is None or there.spec is None:
        return False
    wanted, found = ({(mount.source, mount.folder) for mount in each.volumes} for each in (spec, there.spec))
    return wanted == found


def models(
    item: Picked, observed: Observed, after: ActionKind = ActionKind.KEEP, *, load: bool = True
) -> Iterator[Action]:
    """A fetch for each picked model that the server will not have `after` that; what it has is kept, or loaded anew.
    Those that were picked by themselves are to be loaded, others come when they are asked."""
    wanted = item.wanted
    served = None if after is ActionKind.START else observed.told(wanted.target).served
    for model in item.models if wanted.lazy else ():
        if model.enabled:
            there = wanted.find(model, served) if served is not None else None
            if there and load and is_newer(there):
                yield renewed(wanted, model, there)
            elif there and after is ActionKind.REPLACE:
                yield act_on_model(ActionKind.LOAD, wanted, "its weights stay", model)
            elif there and load and item.by_model and there.loaded is False:
                yield act_on_model(ActionKind.LOAD, wanted, "not loaded", model)
            elif there:
                yield act_on_model(ActionKind.KEEP, wanted, "as wanted", model)
            else:
                yield _fetch(wanted, model, observed, told=served is not None)


def _fetch(wanted: Wanted, model: ModelSpec, observed: Observed, *, told: bool) -> Action:
    target = wanted.target_of(model)
    if error := observed.told(target).broken:
        return act_on_model(ActionKind.REFUSED, wanted, error.message, model, error=error)
    needs = observed.told(target).needs or (Need(kind="model", name=wanted.kind.served_name(model)),)
    reason = "not in the server" if told else "told when the server runs"
    return act_on_model(ActionKind.FETCH, wanted, reason, model, needs=needs)
