"""Decide what a plan's new instances leave open, from what their hosts have now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from llmstack.core.actions import unable
from llmstack.core.context import Context
from llmstack.core.desired import Wanted, plugin_guard
from llmstack.core.gpus import held_gpus
from llmstack.core.limits import Case, decision, limited
from llmstack.core.placement import Placed, beside, free_on, held_by, place
from llmstack.core.policy import Policy
from llmstack.domain.engine_facts import EngineFacts
from llmstack.domain.footprint import Footprint, guessed
from llmstack.domain.gpu import Gpu, HeldGpu
from llmstack.domain.instance import WHY, InstanceSpec
from llmstack.domain.measured import Peak
from llmstack.domain.plan import Action, ActionKind, FieldChange, Plan
from llmstack.domain.resources import AUTO, gib
from llmstack.errors import LlmstackError, PreflightError
from llmstack.protocols import Ability

PeakOf = Callable[[str, str, int, str], Peak | None]
"""What was measured, by image, model file, context and kind of GPU."""
CPU, MAKES = "cpu", (ActionKind.CREATE, ActionKind.REPLACE)
FREE_HINT = "end what holds it, or take a smaller context or model"


@dataclass(kw_only=True)
class _Decider:
    """One plan; `promised` is what earlier actions of it will take of each GPU, beyond what they hold now."""

    context: Context
    peak: PeakOf
    promised: Counter[str] = field(default_factory=Counter)
    facts: dict[tuple[str, str], EngineFacts] = field(default_factory=dict)

    def decide(self, action: Action) -> Action:
        """With what it leaves open decided, or refused where that cannot be."""
        spec = action.spec if action.kind in MAKES else None
        if spec is None:
            return action
        wanted, lacks = self.context.wanted_of(action), None
        try:
            decided = self._on_its_port(wanted, spec, action)
            if spec.undecided:
                decided, lacks = self._decided(wanted, decided, _footprint(wanted, spec, action))
        except LlmstackError as error:
            return unable(wanted, error)
        told = decided.reasons if spec.undecided else self._outgrown(wanted, spec, action)
        if decided is spec and not told:
            return action
        reasons = "; ".join((action.reason, *filter(None, (told, lacks))))
        changes = tuple(_told(change, decided) for change in action.changes)
        return replace(action, spec=decided, reason=reasons, changes=changes)

    def _outgrown(self, wanted: Wanted, spec: InstanceSpec, action: Action) -> str | None:
        """That the memory which was decided once is less than would be decided now, if so; a run warns of it."""
        had = spec.limits.memory_bytes
        if not isinstance(had, int) or "memory_bytes" not in spec.resources.autos:
            return None
        with suppress(LlmstackError):
            anew, _ = self._decided(wanted, spec.reopened("memory_bytes"), _footprint(wanted, spec, action))
            now = anew.limits.memory_bytes
            if isinstance(now, int) and had < now:
                why = anew.decided[f"{WHY}memory_bytes"]
                told = f"memory stays {gib(float(had))}, as it was decided once; now it would be {why}"
                told += ": llmstack up --re-decide takes that"
                if not self.context.only_looks:
                    self.context.once(partial(self.context.warn, told, wanted.target), "outgrown", str(wanted.target))
                return told
        return None

    def _on_its_port(self, wanted: Wanted, spec: InstanceSpec, action: Action) -> InstanceSpec:
        """With the port that it has, where no better one is free now; else that stays open until it is made."""
        own = action.observed.port if action.observed else None
        if own is None or spec.host_port or spec.port != AUTO or own > self.context.engine(wanted).decide_port(spec):
            return spec
        return spec.with_decided(port=str(own))

    def _decided(self, wanted: Wanted, spec: InstanceSpec, model: Footprint | None) -> tuple[InstanceSpec, str | None]:
        facts = self._facts(wanted)
        placed = Placed(why="")
        if "gpus" in spec.undecided:
            placed = self._placed(wanted, spec, model, facts)
            spec = spec.with_decided(**decision("gpus", " ".join(placed.ids), placed.why))
        gpus = spec.limits.gpus
        local = bool(gpus) and wanted.placement.host.local
        mine = given(gpus, (self.context.gpus.gpus() or ()) if local else ())
        case = Case(
            family=wanted.kind.family,
            footprint=model,
            peak=self._peak(wanted, spec, model, kind_of(gpus, mine)),
            host_bytes=facts.memory_bytes,
            host_cpus=facts.cpus,
            gpus=len(gpus),
            gpu_share=placed.share if gpus else 0.0,
            unified=any(gpu.unified for gpu in mine),
            held=Ability.MEMORY_LIMIT in self.context.engine(wanted).abilities,
        )
        lacks = f"{placed.lacks} ({placed.hint})" if placed.hint else placed.lacks
        return limited(spec, case), lacks

    def _placed(self, wanted: Wanted, spec: InstanceSpec, model: Footprint | None, facts: EngineFacts) -> Placed:
        """Raises PreflightError where what was measured does not fit, or no memory is left at all."""
        if not wanted.placement.host.local:
            unsure = "" if facts.gpu else ", nor whether it has any"
            return Placed(ids=("all",), why=f"all: the GPUs of another machine cannot be seen from here{unsure}")
        cards = self._cards
        if not cards:
            return Placed(why="none: this machine has no NVIDIA GPU")
        name, others = wanted.container_name or "", self.context.wanted.values()
        free = free_on(cards, name, self.promised, facts.free_memory_bytes)
        ours = {item.container_name for item in others if item.placement.host.local} - {name, None}
        best = max(cards, key=lambda card: free.get(card.gpu.uuid or "", 0))
        peak = self._peak(wanted, spec, model, best.gpu.name or CPU)
        measured = peak.gpu_bytes if peak else None
        need = measured or (model.gpu_bytes if model else None)
        placed = place(need, beside(cards, name), free, ours)
        if placed.lacks and (measured or not placed.ids):
            raise PreflightError(f"{wanted.target}: {placed.lacks}", placed.hint or FREE_HINT)
        told = f", measured (estimated {gib(model.gpu_bytes)})" if measured and model else ", estimated" if need else ""
        rest = need or 0
        for one in sorted(placed.ids, key=lambda one: -free[one]):
            part = min(rest, free[one])
            self.promised[one], rest = self.promised[one] + part, rest - part
        self.promised.subtract({card.gpu.uuid or "": held_by(name, card) for card in cards})
        return replace(placed, why=placed.why + told)

    def _peak(self, wanted: Wanted, spec: InstanceSpec, model: Footprint | None, gpu_kind: str) -> Peak | None:
        key = peak_key(self.context, wanted, spec, model)
        return self.peak(*key, gpu_kind) if key else None

    def _facts(self, wanted: Wanted) -> EngineFacts:
        place = (wanted.target.host, wanted.engine)
        if place not in self.facts:
            self.facts[place] = self.context.engine(wanted).facts()
        return self.facts[place]

    @cached_property
    def _cards(self) -> tuple[HeldGpu, ...]:
        """Raises UnreachableError where the driver does not tell."""
        return held_gpus(self.context)


def with_limits(plan: Plan, again: Callable[[Policy], Plan], policy: Policy, context: Context, peak: PeakOf) -> Plan:
    """`plan` with every instance that it makes decided; planned `again`, so that they stay, where some would be decided
    anew just as they are. Asks hosts only where something is left open."""
    plan = Plan(tuple(map(_Decider(context=context, peak=peak).decide, plan.actions)))
    changed = [action for action in plan.actions if action.changes]
    same = {action.target for action in changed if all(each.before == each.after for each in action.changes)}
    if not same & policy.re_decide:
        return plan
    policy = replace(policy, re_decide=policy.re_decide - same)
    return with_limits(again(policy), again, policy, context, peak)


def given(ids: tuple[str, ...], gpus: tuple[Gpu, ...]) -> tuple[Gpu, ...]:
    """PURE: those of a machine's GPUs that an instance was given; all where it was not given them by their UUIDs."""
    return tuple(gpu for gpu in gpus if gpu.uuid in ids) or (gpus if ids else ())


def kind_of(ids: tuple[str, ...], mine: tuple[Gpu, ...]) -> str:
    """PURE: what an instance computes on, in a word: the names of the GPUs it was given, or `cpu`."""
    return " + ".join(sorted({gpu.name for gpu in mine if gpu.name})) or " ".join(ids) or CPU


def peak_key(
    context: Context, wanted: Wanted, spec: InstanceSpec, model: Footprint | None
) -> tuple[str, str, int] | None:
    """By what a peak is known: what means just its image, its model file, and the context."""
    if model is None or spec.weights is None:
        return None
    pins: tuple[str, ...] = ()
    with suppress(LlmstackError):
        pins = context.engine(wanted).pins(spec.decided.get("image", spec.image)) if spec.image else ()
    return (*pins, spec.image or " ".join(spec.program))[0], spec.weights.fingerprint, model.context


def footprint_of(wanted: Wanted, spec: InstanceSpec) -> Footprint | None:
    """By its type; None where nothing is known."""
    with plugin_guard(wanted.kind.name):
        return wanted.kind.footprint(spec, wanted.options)


def _told(change: FieldChange, spec: InstanceSpec) -> FieldChange:
    """With what was decided in place of a bare `auto`."""
    name = change.field.removeprefix("resources.")
    if change.after != AUTO or name not in spec.decided:
        return change
    decided = spec.decided[name] or "none"
    return replace(change, after=decided if name.endswith("_bytes") else f"{AUTO} ({decided})")


def _footprint(wanted: Wanted, spec: InstanceSpec, action: Action) -> Footprint | None:
    sizes = [need.size_bytes for need in action.needs if need.kind == "weights" and need.size_bytes]
    return footprint_of(wanted, spec) or (guessed(sum(sizes)) if sizes else None)
