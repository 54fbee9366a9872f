"""PURE: why an instance is as it is: what its engine says, beside what was remembered of it and told meanwhile.

Times of starts and ends are the host's own and compared with each other alone, since clocks differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from llmstack.core.actions import IN_IT, SIGKILLED
from llmstack.domain.happening import What
from llmstack.domain.instance import PAUSED, Instance, State
from llmstack.domain.report import Fate
from llmstack.domain.service import EXTERNAL
from llmstack.domain.stored import StoredLadder, StoredModel, StoredRun

AtWork = Callable[[str], StoredRun | None]
"""The run that changes a host."""
LOOP_RESTARTS, LOOP_S = 3, 600.0
"""Brought back so often within this time is a crash loop, even if it runs at the moment."""
ENDED = (State.STOPPED, State.CRASHED)
BY_US: Mapping[Fate | None, tuple[Fate, str]] = {
    Fate.STOPPED: (Fate.STOPPED, "stopped"),
    Fate.REMOVED: (Fate.STOPPED, "removed"),
    Fate.REPLACED: (Fate.RUNS, "replaced"),
    Fate.STARTED: (Fate.RUNS, "started"),
}
"""What it means where it was done by a run of ours."""


@dataclass(frozen=True, slots=True)
class Reason:
    """A word for programs and a text for people."""

    fate: Fate
    text: str


def since_start(told: Sequence[What], more: Sequence[What]) -> tuple[What, ...]:
    """What was told of an instance since its last start, `more` included; that memory ran out before it stays known."""
    kept = list(told)
    for what in more:
        if what is What.CREATED:
            kept = []
        elif what is What.STARTED:
            kept = [What.OUT_OF_MEMORY] if What.OUT_OF_MEMORY in kept else []
        elif what not in kept:
            kept.append(what)
    return tuple(kept)


def judged(there: Instance, known: StoredModel | None, told: Sequence[What] = ()) -> Instance:
    """With what an engine does not keep: that memory ran out, and whether somebody asked for its end. Where nothing was
    told, what was remembered of this very end holds."""
    if What.OUT_OF_MEMORY in told:
        there = replace(there, out_of_memory=True)
    if there.running or there.finished_at is None or there.state not in ENDED:
        return there
    purpose = What.STOPPED in told if What.DIED in told else None
    if purpose is None and known and known.container_id == there.id and known.ended_at == there.finished_at:
        purpose = known.stopped_on_purpose
    return there if purpose is None else replace(there, state=State.STOPPED if purpose else State.CRASHED)


def reason(
    there: Instance | None,
    known: StoredModel | None,
    now: float,
    *,
    taken: Instance | None = None,
    climb: StoredLadder | None = None,
) -> Reason | None:
    """Why it is as it is; None for what is neither there nor remembered. `taken` has its name and is not ours, `climb`
    is its last one."""
    if there is None:
        return (_replaced(taken) if taken else _gone(known)) if known else None
    if changed_hands(there, known):
        return _replaced(there)
    if there.state not in ENDED:
        return _running(there, known, now)
    return _failed(there, known, climb) or _ended(there, known, now)


def by_us(why: Reason, host: str, at_work: AtWork, known: StoredModel | None = None) -> Reason:
    """The same, as done by a run that notes it only when it is over; what was known to be gone before it stays."""
    run = at_work(host) if why.fate in BY_US else None
    gone_at = known.last_updated if known and known.state is State.ABSENT else None
    if run is None or (gone_at is not None and gone_at < run.started_at):
        return why
    fate, done = BY_US[why.fate]
    return Reason(fate, f"{done} by run {run.id} ({run.task})")


def changed_hands(there: Instance, known: StoredModel | None) -> bool:
    """Whether what has the name now is not what was remembered; what we replace ourselves is remembered at once."""
    if known is None or known.container_id is None or there.engine == EXTERNAL:
        return False
    return known.state is not State.ABSENT and known.container_id != there.id


def began_anew(there: Instance, known: StoredModel) -> bool:
    """Whether it was started since."""
    return bool(known.started_at and there.started_at and known.started_at != there.started_at)


def starved(there: Instance, known: StoredModel) -> bool:
    """Whether its memory ran out since."""
    return bool(there.out_of_memory and not known.out_of_memory)


def _gone(known: StoredModel) -> Reason:
    if known.state is State.ABSENT and known.stopped_on_purpose:
        return Reason(Fate.STOPPED, f"stopped and removed on purpose {_at('at', known.last_updated)}".strip())
    return Reason(Fate.REMOVED, "not there any more: removed by somebody else")


def _replaced(there: Instance) -> Reason:
    now_there = f"runs there {_at('since', there.started_at)}".strip() if there.running else "is there now"
    return Reason(Fate.REPLACED, f"replaced by somebody else: another one of that name {now_there}")


def _failed(there: Instance, known: StoredModel | None, climb: StoredLadder | None) -> Reason | None:
    """Where its last climb failed, and nothing has happened to it since the run that climbed stopped it."""
    fallen = next((rung for rung in climb.ladder.rungs if rung.ok is False), None) if climb else None
    if climb is None or fallen is None or known is None:
        return None
    same = known.container_id == there.id and known.ended_at == there.finished_at is not None
    if not same or (known.last_updated or 0.0) > climb.at:
        return None
    told = f"{fallen.rung}: {fallen.detail}" if fallen.detail else fallen.rung
    over = "stopped again" if there.state is State.STOPPED else "it ended"
    return Reason(Fate.FAILED, f"its last start failed: {told}; {over} {_at('at', there.finished_at)}")


def _running(there: Instance, known: StoredModel | None, now: float) -> Reason:
    since = _at("since", there.started_at)
    if known and known.state is not State.ABSENT and began_anew(there, known):
        if there.restarts:  # a start by hand counts from 0 again
            rise = _rise(there, known)
            quick = rise >= LOOP_RESTARTS and _spent_s(known, now) <= LOOP_S
            memory = ", it had run out of memory" if there.out_of_memory else ""
            how = f"restarted by the engine {since} ({_restarts(there, known, now)}){memory}"
            return Reason(Fate.CRASH_LOOP, f"crash loop: {how}") if quick else Reason(Fate.RESTARTED, how)
        return Reason(Fate.STARTED, f"started again {since}, by somebody else or with its engine")
    runs = f"running {since}".strip()
    return Reason(Fate.STARVED, f"{runs}, {IN_IT}") if there.out_of_memory else Reason(Fate.RUNS, runs)


def _ended(there: Instance, known: StoredModel | None, now: float) -> Reason:
    at = _at("at", there.finished_at)
    if there.error == PAUSED:
        return Reason(Fate.PAUSED, PAUSED)
    if there.exit_code is None:
        return Reason(Fate.STOPPED if there.state is State.STOPPED else Fate.DIED, there.error or there.state.value)
    memory = "" if not there.out_of_memory else "out of memory" if there.exit_code == SIGKILLED else IN_IT
    if there.state is State.STOPPED:
        return Reason(Fate.STOPPED, ", ".join(filter(None, (f"stopped on purpose {at}".strip(), memory))))
    how = f"exited {there.exit_code}{f' ({memory})' if memory else ''} {at}".strip()
    how = f"{how}, {_restarts(there, known, now)}" if there.restarts else how
    if memory:
        return Reason(Fate.STARVED if memory is IN_IT else Fate.OUT_OF_MEMORY, how)
    loops = (there.restarts or 0) >= LOOP_RESTARTS
    return Reason(Fate.CRASH_LOOP, f"crash loop: {how}") if loops else Reason(Fate.DIED, how)


def _restarts(there: Instance, known: StoredModel | None, now: float) -> str:
    """How often it was brought back: since it was last seen well, where that is known."""
    count = there.restarts or 0
    rise = _rise(there, known) if known and known.state.active else 0
    word = f"restart{'' if (rise or count) == 1 else 's'}"
    return f"{rise} {word} in {_span(_spent_s(known, now))}" if known and rise else f"{count} {word} in all"


def _rise(there: Instance, known: StoredModel) -> int:
    """Restarts since; an engine counts from 0 again after a start by hand."""
    before, count = known.restarts or 0, there.restarts or 0
    return count - before if count >= before else count


def _spent_s(known: StoredModel, now: float) -> float:
    return max(0.0, now - (known.last_updated or now))


def _span(seconds: float) -> str:
    minutes = seconds / 60
    return f"{seconds:.0f} s" if minutes < 2 else f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.0f} h"


def _at(word: str, moment: float | None) -> str:
    return f"{word} {datetime.fromtimestamp(moment).astimezone():%Y-%m-%d %H:%M:%S}" if moment else ""
