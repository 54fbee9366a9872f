"""PURE: the rows of `status`, from what was observed, looked at and remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from llmstack.core.actions import astray, describe
from llmstack.core.desired import Wanted
from llmstack.core.device import BAD, ON_DEMAND, UNKNOWN, verdict
from llmstack.core.fate import AtWork, Reason, by_us, reason
from llmstack.core.history import last_work
from llmstack.core.look import Look, look_at_model
from llmstack.core.observe import Observed
from llmstack.core.select import Picked
from llmstack.core.versions import DIGITS
from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import Rung
from llmstack.domain.report import Fate, StatusRow
from llmstack.domain.service import ModelSpec
from llmstack.domain.stored import StoredLadder, StoredModel, StoredRun
from llmstack.domain.target import Target

AGAIN = (Fate.RESTARTED, Fate.CRASH_LOOP)
LastLadder = Callable[[Target], StoredLadder | None]


def rows_of(
    picked: Iterable[Picked],
    observed: Observed,
    looks: Mapping[Target, Look],
    last: LastLadder,
    *,
    known: Mapping[tuple[str, str], StoredModel],
    taken: Mapping[tuple[str, str], Instance] | None = None,
    now: float,
    at_work: AtWork = lambda _: None,
) -> Iterator[StatusRow]:
    """One row per picked model, and one per companion; `last` finds the last climb of a target, `known` what is
    remembered of an instance, by host and name, `taken` what has such a name and is not ours, `at_work` the run that
    changes a host."""
    for item in picked:
        wanted = item.wanted
        error = observed.errors.get((wanted.target.host, wanted.engine))
        seen = Look(state=State.UNREACHABLE, detail=error.message) if error else looks[wanted.target]
        there = observed.find(wanted)
        name, climb = (wanted.target.host, wanted.container_name or ""), last(wanted.target)
        why = None if error else reason(there, known.get(name), now, taken=(taken or {}).get(name), climb=climb)
        if why and why.fate is not Fate.STOPPED:
            why = by_us(why, wanted.target.host, at_work, known.get(name))
        if not item.wanted.placement.models:
            yield _row(wanted, None, there, replace(seen, version=_image_tag(there)), why=why)
        for model in item.models:
            found = look_at_model(wanted, model, seen)
            target = item.wanted.target_of(model) if wanted.lazy else wanted.target
            yield _row(wanted, model, there, _on_device(found, there, last(target)), why=why)


def _row(
    wanted: Wanted, model: ModelSpec | None, there: Instance | None, found: Look, *, why: Reason | None
) -> StatusRow:
    running = bool(there and there.running)
    told = found.state is State.READY and why and why.fate in AGAIN if running else why
    return StatusRow(
        model=model.name if model else None,
        service=wanted.placement.service.name,
        host=wanted.target.host,
        state=State.CRASHED if why and why.fate is Fate.FAILED else found.state,
        engine=wanted.engine,
        device=found.device,
        version=found.version,
        url=found.url if wanted.external or running else None,
        port=there.port if there else None,
        container_name=there.container_name if there else None,
        stack=there.stack if there else None,
        restarts=there.restarts if there else None,
        exit_code=there.exit_code if there and there.over else None,
        limits=there.spec.reasons or None if there and there.spec else None,
        detail=why.text if why and told and not (wanted.off or wanted.error) else found.detail,
        reason=why.fate if why else None,
        enabled=not wanted.off and (model is None or model.enabled),
    )


def with_failure(row: StatusRow, runs: Callable[[], Iterable[StoredRun]]) -> StatusRow:
    """With why the last of `runs` that was to make it failed, of what is not there and could be."""
    if row.state is not State.ABSENT or not row.enabled or (row.detail and row.reason is not Fate.STOPPED):
        return row
    worked = last_work(runs(), (str(row.target), str(Target(row.service, row.host))))
    if worked is None or not (error := worked[1].get("error")):
        return row
    told = error["message"].removeprefix(f"{row.target}: ")
    return replace(row, reason=Fate.FAILED, detail=f"its last {worked[0].task} failed: {told}")


def _on_device(found: Look, there: Instance | None, climb: StoredLadder | None) -> Look:
    """With the device that the last climb proved, where no cheap look tells; what fell back from the GPU that it was
    given is degraded, whatever it says of itself."""
    if found.state is not State.READY:
        return found
    proved, asked = _remembered(climb), bool(there and there.spec and there.spec.limits.gpus)
    fell = found.device != ON_DEMAND and verdict(proved, gpu_wanted=asked)[0] is False
    device = proved if fell or found.device in (None, UNKNOWN) else found.device
    ok, words = verdict(device, gpu_wanted=asked)
    if ok is False:
        return replace(found, state=State.DEGRADED, device=words, detail=BAD[words])
    return replace(found, device=device)


def _remembered(climb: StoredLadder | None) -> str:
    rung = climb.ladder.find(Rung.DEVICE) if climb else None
    return rung.detail.removesuffix(" (as asked)").removesuffix("!") if rung else UNKNOWN


def _image_tag(there: Instance | None) -> str | None:
    image = there.image if there else None
    if image and "@" in image:
        return image.rpartition(":")[2][:DIGITS]
    return image.rpartition(":")[2] if image and ":" in image.rpartition("/")[2] else None


def orphan_row(there: Instance, seen: Look, wanted: Iterable[Wanted]) -> StatusRow:
    """An instance of the stack that is none of `wanted`."""
    detail = f"{describe(there)}; {astray(there, wanted)}: llmstack down --orphans removes it"
    return replace(_bare(there, detail, ours=True, url=seen.url), state=seen.state)


def found_row(there: Instance, seen: Look) -> StatusRow:
    """An instance of ours that was found without an inventory."""
    models = tuple(there.spec.models) if there.spec else ()
    row = _bare(there, seen.detail, ours=True, url=seen.url)
    model = models[0] if len(models) == 1 else None
    return replace(row, state=seen.state, version=seen.version, model=model)


def stranger_row(there: Instance, url: str | None) -> StatusRow:
    """Something that serves models here and is not ours."""
    return _bare(there, describe(there), ours=False, url=url)


def _bare(there: Instance, detail: str, *, ours: bool, url: str | None = None) -> StatusRow:
    return StatusRow(
        model=None,
        service=there.service,
        host=there.host,
        state=there.state,
        engine=there.engine,
        url=url,
        port=there.port,
        container_name=there.container_name,
        stack=there.stack if ours else None,
        restarts=there.restarts,
        exit_code=there.exit_code,
        detail=detail,
        wanted=False,
        ours=ours,
    )
