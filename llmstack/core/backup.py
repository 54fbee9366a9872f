"""Save a service's volumes to a file, and make a service anew from such a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import llmstack
from llmstack.core import archive
from llmstack.core.actions import act, begin, blocked, broken, unable
from llmstack.core.context import Context, urls
from llmstack.core.diff import changes
from llmstack.core.drain import drain
from llmstack.core.fetching import followed
from llmstack.core.ladder import Climb
from llmstack.core.observe import Observed
from llmstack.core.policy import AS_IT_IS, Policy
from llmstack.core.select import Picked
from llmstack.core.starting import announce, judge, start_and_climb
from llmstack.core.stopping import stop_for_good
from llmstack.core.versions import as_it_runs
from llmstack.domain.instance import InstanceSpec
from llmstack.domain.ladder import Rung
from llmstack.domain.leftover import LeftoverKind
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.plan import Action, ActionKind, Plan
from llmstack.domain.progress import counted
from llmstack.domain.units import size
from llmstack.errors import PreflightError, UsageError
from llmstack.protocols import Engine


def plan_backup(picked: Sequence[Picked], observed: Observed, _: Policy = AS_IT_IS) -> Plan:
    """What saves the volumes of a placement; it does not run meanwhile. Raises UsageError unless one was picked."""
    item = _one(picked)
    wanted, there = item.wanted, observed.find(item.wanted)
    if stop := blocked(wanted, observed) or _unfit(item, observed):
        return Plan((stop,))
    assert there is not None
    reason = "stopped for as long as it takes" if there.running else "it does not run"
    return Plan((act(ActionKind.BACKUP, wanted, reason, observed=there, spec=there.spec),))


def plan_restore(
    picked: Sequence[Picked], observed: Observed, _: Policy = AS_IT_IS, *, file: str, found: archive.Manifest
) -> Plan:
    """What replaces a placement by the same with the data of a file; what else the inventory changes is for `up`.
    Raises UsageError unless one was picked."""
    item = _one(picked)
    wanted, there = item.wanted, observed.find(item.wanted)
    stop = blocked(wanted, observed) or _unfit(item, observed) or broken(wanted, observed)
    if stop:
        return Plan((stop,))
    assert there is not None
    assert there.spec is not None
    spec = as_it_runs(wanted, there.spec)
    if error := _misfit(spec, file, found):
        return Plan((unable(wanted, error),))
    secrets = changes(spec, there.spec)
    folders = ", ".join(f"/{folder}" for folder in found.volumes)
    reason = f"all data in {folders} are replaced by those of {file}"
    reason += "".join(f"; {change.label} differs" for change in secrets)
    return Plan((begin(ActionKind.REPLACE, wanted, spec, reason, observed=observed, there=there, differences=secrets),))


def _one(picked: Sequence[Picked]) -> Picked:
    if len(picked) == 1:
        return picked[0]
    names = ", ".join(str(item.wanted.target) for item in picked)
    raise UsageError(f"one file holds the data of one service, and this picks {names}", "--service NAME, --host HOST")


def _misfit(spec: InstanceSpec, file: str, found: archive.Manifest) -> PreflightError | None:
    """Why a backup is not for an instance of `spec`."""
    strange = set(found.volumes) - {mount.folder for mount in spec.volumes}
    if not strange and found.type == spec.type:
        return None
    lacks = f"has no volume at /{min(strange)}" if strange else f"is {spec.type}"
    message = f"{file} is of {found.service}, a service of type {found.type}; {spec.target} {lacks}"
    return PreflightError(message, "restore it into a service of the same type")


def _unfit(item: Picked, observed: Observed) -> Action | None:
    wanted, there = item.wanted, observed.find(item.wanted)
    if wanted.external or wanted.adopted or wanted.off:
        error = PreflightError(f"{wanted.target} is not llmstack's to stop", "save its data by its own means")
    elif there is None or there.spec is None:
        message = f"{wanted.target} is not there, and the volumes that `down` kept are read and written through it"
        error = PreflightError(message, f"`llmstack up --service {wanted.target.name}`, then this again")
    elif (wanted.target, wanted.engine) in observed.previous:
        unfinished = f"a replace of {wanted.target} was interrupted and is to be finished first"
        error = PreflightError(unfinished, f"llmstack up --service {wanted.target.name}")
    elif not there.spec.volumes:
        error = PreflightError(f"{wanted.target} has no volume of its own", "`mounts:` gives it one")
    else:
        return None
    return unable(wanted, error)


def backup(action: Action, context: Context) -> Outcome:
    """Stop, save, start again as it was; it starts again too when it cannot be saved."""
    wanted, there = context.wanted_of(action), action.observed
    assert there is not None
    assert there.spec is not None
    assert context.file is not None
    engine, name = context.engine(wanted), there.container_name
    announce(action, context, there.spec)
    archive.check_place(context.file, _size_bytes(there.spec, engine))
    try:
        if there.running:
            drain(context, wanted, there)
            stop_for_good(context, engine, there)
        saved_bytes = _saved(action, context, there.spec, engine.read_volumes(name))
    except BaseException:
        if there.running:
            engine.start(name)
        raise
    reason = f"{size(saved_bytes)} in {context.file}"
    if not there.running:
        return Outcome(target=action.target, status=Status.CHANGED, reason=reason, action=action)
    climb = Climb(context=context, wanted=wanted, target=action.target, there=engine.inspect(name))
    climb.skip_log()
    climb.note(Rung.CREATED, "already there")
    judged = judge(action, start_and_climb(engine, climb, context), Status.CHANGED, urls(context, wanted, climb.there))
    return replace(judged, reason=reason) if judged.status is Status.CHANGED else judged


def _size_bytes(spec: InstanceSpec, engine: Engine) -> int:
    """Of its volumes, as far as the engine tells."""
    names = {*spec.own.values()}
    found = (one for one in engine.leftovers(spec.stack) if one.kind is LeftoverKind.VOLUME and one.name in names)
    return sum(one.size_bytes or 0 for one in found)


def _saved(action: Action, context: Context, spec: InstanceSpec, chunks: Iterator[bytes]) -> int:
    assert context.file is not None
    manifest = archive.Manifest(
        stack=spec.stack,
        service=spec.service,
        type=spec.type,
        image=spec.image,
        volumes=tuple(mount.folder for mount in spec.volumes),
        created_at=context.clock.now(),
        version=llmstack.__version__,
    )
    report = followed(partial(context.report, action.target), context.clock)
    return archive.save(context.file, manifest, counted(chunks, context.file, report))
