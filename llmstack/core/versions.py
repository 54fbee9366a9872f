"""PURE: which version of an image is newer, and which one to go back to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from llmstack.core.actions import act, blocked, broken, unable
from llmstack.core.observe import Observed
from llmstack.core.policy import AS_IT_IS, Policy
from llmstack.core.select import Picked
from llmstack.domain.plan import Action, ActionKind, FieldChange, Plan
from llmstack.domain.stored import StoredVersion
from llmstack.domain.target import Target
from llmstack.errors import LlmstackError, PreflightError

Known = Mapping[Target, Sequence[StoredVersion]]
"""The versions of each target that were proved ready, the last one first."""
DIGITS = 12


def plan_rollback(picked: Sequence[Picked], observed: Observed, _: Policy = AS_IT_IS, *, known: Known) -> Plan:
    """What gives every picked placement the image back that was proved ready before the one it has."""
    return Plan(tuple(_back(item, observed, known) for item in picked))


def _back(item: Picked, observed: Observed, known: Known) -> Action:
    wanted, there = item.wanted, observed.find(item.wanted)
    pins = observed.pins.get(wanted.target, ())
    before = next((one for one in known.get(wanted.target, ()) if is_other(one.digest, pins)), None)
    if stop := blocked(wanted, observed) or broken(wanted, observed):
        return stop
    if there is None or there.spec is None or before is None or wanted.off or wanted.adopted:
        return unable(wanted, _nowhere(item))
    spec = replace(there.spec, secrets=wanted.needed_spec.secrets).with_decided(image=before.digest)
    reason = "back to the image that was proved ready before"
    change = image_change(pins, before.digest)
    return act(ActionKind.REPLACE, wanted, reason, observed=there, spec=spec, changes=(change,))


def _nowhere(item: Picked) -> LlmstackError:
    wanted = item.wanted
    message = f"{wanted.target}: no other image that it was proved ready with is remembered"
    return PreflightError(message, f"services.{wanted.target.name}.image takes one by its digest too: name@sha256:...")


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
