"""PURE: which version of an image or model is newer, and which one to go back to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from llmstack.core.actions import act, act_on_model, blocked, broken, silent, unable
from llmstack.core.desired import Wanted
from llmstack.core.observe import PREVIOUS, Facts, Observed
from llmstack.core.policy import AS_IT_IS, Policy
from llmstack.core.select import Picked
from llmstack.domain.instance import Instance, InstanceSpec, Need
from llmstack.domain.plan import Action, ActionKind, FieldChange, Plan
from llmstack.domain.server import ServedModel
from llmstack.domain.service import ModelSpec
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError, PreflightError

if TYPE_CHECKING:
    from llmstack.domain.stored import StoredVersion

Known = Mapping[Target, Sequence["StoredVersion"]]
"""The versions of each target that were proved ready, the last one first."""
DIGITS = 12


def plan_rollback(picked: Sequence[Picked], observed: Observed, _: Policy = AS_IT_IS, *, known: Known) -> Plan:
    """What gives every picked placement the image back that was proved ready before the one it has, and models that
    were picked by name the version, or the model file, that they had before."""
    return Plan(tuple(action for item in picked for action in _back_of(item, observed, known)))


def _back_of(item: Picked, observed: Observed, known: Known) -> Iterator[Action]:
    if not (item.wanted.lazy and item.by_model):
        yield _back(item, observed, known)
        return
    for model in item.models:
        yield silent(item.wanted, observed) or _model_back(item.wanted, model, observed)


def _model_back(wanted: Wanted, model: ModelSpec, observed: Observed) -> Action:
    served = observed.told(wanted.target).served or ()
    there, name = wanted.find(model, served), kept_name(wanted.kind.served_name(model))
    before = next((one for one in served if wanted.kind.same_model(name, one.name)), None)
    if there is None or before is None:
        message = f"{wanted.target} has no other version of {model.name}: only an update keeps the one before"
        error = PreflightError(message, "`source:` may name another tag")
        return act_on_model(ActionKind.REFUSED, wanted, message, model, error=error)
    change = FieldChange("digest", _short(there.digest or ""), _short(before.digest or ""))
    return act_on_model(ActionKind.LOAD, wanted, "back to the version before its update", model, changes=(change,))


def as_it_runs(wanted: Wanted, there: InstanceSpec) -> InstanceSpec:
    """What runs, to be made once more as it is; its label has its secrets only sealed."""
    return replace(there, secrets=wanted.needed_spec.secrets)


def sticky_file(spec: InstanceSpec, there: InstanceSpec) -> InstanceSpec:
    """`spec` with the model file that an update or a rollback decided on, as long as its source is the wanted one."""
    source = there.decided.get("weights") if spec.wish.get("source") == there.wish.get("source") else None
    return with_source(spec, source) if source else spec


def proved_file(spec: InstanceSpec, proved: StoredVersion | None) -> InstanceSpec:
    """`spec`, of which nothing is there, with the model file that was proved ready last, if its source had it once."""
    if spec.weights and proved and proved.source.startswith(f"{spec.weights.source}#"):
        return with_source(spec, proved.source)
    return spec


def anew(spec: InstanceSpec, facts: Facts) -> tuple[InstanceSpec, str]:
    """`spec` of something that is not there, with the model file that was decided on, and why it is to be made."""
    if facts.weights is None:
        return spec, "not there"
    file = f"the model file of `update`, sha256 {facts.weights.rpartition('=')[2][:DIGITS]}"
    return with_source(spec, facts.weights), f"not there, with {file}"


def with_source(spec: InstanceSpec, source: str) -> InstanceSpec:
    """`spec` with the model file of another remote source."""
    from llmstack.modeltype.source import gguf_weights

    return replace(spec, weights=gguf_weights(source, "")).with_decided(weights=source)


def renewed_file(spec: InstanceSpec, files: Iterable[ServedModel] | None) -> InstanceSpec:
    """`spec` with the newer model file that its source is known to have, if any, pinned by its digest."""
    return next((with_source(spec, f"{one.name}#sha256={one.newest}") for one in files or () if is_newer(one)), spec)


def file_of(wanted: Wanted, observed: Observed) -> Sequence[ServedModel]:
    """The model file of a placement beside what its source has now; none where that was not asked."""
    models = wanted.placement.models if wanted.placement.own_model else ()
    return [file for model in models for file in observed.told(wanted.target_of(model)).served or ()]


def is_newer(there: ServedModel) -> bool:
    """Whether its registry is known to have another version."""
    return bool(there.digest) and there.newest not in (None, there.digest)


def beside_registry(there: ServedModel) -> str:
    """A model that is there, by its digest, beside what its registry has."""
    told = "the newest" if there.newest else "unknown whether there is a newer one"
    if is_newer(there):
        told = f"a newer one is there, {_short(there.newest or '')}: `update` takes it"
    return ", ".join(filter(None, ("already there", _short(there.digest or ""), told)))


def renewed(wanted: Wanted, model: ModelSpec, there: ServedModel) -> Action:
    """What takes the newer version of a model; the one that is there is kept beside it."""
    change = FieldChange("digest", _short(there.digest or ""), _short(there.newest or ""))
    need = Need(kind="model", name=wanted.kind.served_name(model))
    return act_on_model(ActionKind.FETCH, wanted, "a newer version", model, needs=(need,), changes=(change,))


def kept_name(name: str) -> str:
    """Under which name a server keeps the version of a model that was there before its update."""
    tagged = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    return tagged + PREVIOUS


def _back(item: Picked, observed: Observed, known: Known) -> Action:
    wanted, there = item.wanted, observed.find(item.wanted)
    pins = observed.told(wanted.target).pins
    versions = known.get(wanted.target, ())
    before = _before(versions, pins)
    if stop := blocked(wanted, observed) or broken(wanted, observed):
        return stop
    if there and not wanted.off and (action := _file_back(item, there, observed, known)):
        return action
    if there is None or there.spec is None or before is None or wanted.off or wanted.adopted:
        return unable(wanted, _nowhere(item, versions))
    spec = as_it_runs(wanted, there.spec).with_decided(image=before.digest)
    reason = f"back to the image that was proved ready before; known are {_listed(versions)}"
    change = image_change(pins, before.digest)
    return act(ActionKind.REPLACE, wanted, reason, observed=there, spec=spec, changes=(change,))


def _file_back(item: Picked, there: Instance, observed: Observed, known: Known) -> Action | None:
    """To the model file that was proved ready before; None where none is remembered."""
    wanted, spec = item.wanted, there.spec
    now = spec.weights if spec and item.by_model else None
    versions = [one for model in item.models for one in known.get(wanted.target_of(model), ())]
    before = _before(versions, [now.fingerprint]) if now else None
    if spec is None or now is None or before is None:
        return None
    if "#" not in before.source and all(one.name != before.digest for one in file_of(wanted, observed)):
        message = f"{wanted.target}: the file of {before.source} is not kept; its sha256 was {before.version}"
        hint = "have `source:` name it (an address pinned by #sha256=, or a file), then `llmstack up`"
        return unable(wanted, PreflightError(message, hint, sha256=before.version))
    changes = (FieldChange("source", now.source, before.source),)
    spec = with_source(as_it_runs(wanted, spec), before.source)
    return act(ActionKind.REPLACE, wanted, "back to the model file before", observed=there, spec=spec, changes=changes)


def _before(versions: Sequence[StoredVersion], pins: Sequence[str]) -> StoredVersion | None:
    """What came before the one that runs, so that going back twice goes further; where that one was never noted, what
    was ready last."""
    now = next((one for one in versions if not is_other(one.digest, pins)), None)
    others = [one for one in versions if is_other(one.digest, pins)]
    if now is None:
        return next(iter(others), None)
    return max((one for one in others if _came(one) < _came(now)), key=_came, default=None)


def _came(version: StoredVersion) -> float:
    return version.installed_at or 0.0


def _listed(versions: Sequence[StoredVersion]) -> str:
    return ", ".join(_short(one.digest) for one in sorted(versions, key=_came, reverse=True)) or "none"


def _nowhere(item: Picked, versions: Sequence[StoredVersion]) -> LlmstackError:
    wanted = item.wanted
    name, section = wanted.target.name, "models" if wanted.placement.own_model else "services"
    if wanted.engine == "process":
        message = f"{wanted.target} is a process: it has no image to go back to"
        return PreflightError(message, f"change {section}.{name} back in the inventory, then `llmstack up`")
    message = f"{wanted.target}: no older image that it was proved ready with is remembered; known: {_listed(versions)}"
    return PreflightError(message, f"{section}.{name}.image takes one by its digest too: name@sha256:...")


def is_other(pin: str | None, pins: Iterable[str]) -> bool:
    """Whether `pin` is known and means none of what `pins` mean; without any of those nobody knows."""
    known = {_digest(each) for each in pins}
    return bool(pin and known and _digest(pin) not in known)


def image_change(pins: Sequence[str], after: str) -> FieldChange:
    """From one image to another of the same name."""
    return FieldChange("image digest", _short(pins[0]), _short(after))


def _digest(pin: str) -> str:
    return pin.rpartition("@")[2]


def _short(pin: str) -> str:
    return _digest(pin).removeprefix("sha256:")[:DIGITS]
