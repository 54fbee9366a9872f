"""PURE: why an instance failed, from what its engine and its log say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llmstack.domain.instance import Instance, State
from llmstack.domain.ladder import Why
from llmstack.modeltype.failures import FailureRule, common, first_error

SIGKILLED = (137, -9)
LAST_LINES = 10
MIB = 1 << 20
Verdict = tuple[str | None, str | None, str | None]
_OF_EXIT = {
    132: ("The program used a CPU instruction that this machine lacks.", "use a build for an older CPU", "image"),
    127: ("The program is not there.", "correct `image:`, or install the program", "image"),
    126: ("The program may not be run.", "check `image:` and its entrypoint", "image"),
}
_KILLED = (
    "It was killed from outside (SIGKILL), not by itself.",
    "look for who killed it: the kernel for lack of memory, or somebody's kill -9; then run up again",
    None,
)
_MORE = "raise resources.memory, or use a smaller context or model"
_LESS = "use a smaller context or model, or stop something else there: `llmstack stats` shows who has how much"


def explain(
    there: Instance | None, lines: Sequence[str], rules: Iterable[FailureRule], otherwise: str, *, first: int = 1
) -> Why:
    """The first error line, what it means and one concrete change; `otherwise` is said when the log tells nothing.
    `first` is the number of the first of `lines` in the whole log.

    A server that was killed wrote nothing about it, so then its log is not asked; what stopped like one that was told
    to is explained by no line that merely sounds like an error.
    """
    killed = there is not None and there.over and there.exit_code in SIGKILLED
    found = None if killed else first_error(lines, (*rules, *common()))
    stopped = there is not None and there.state is State.STOPPED
    number, line, rule = found if found and (found[2] or not stopped) else (None, None, None)
    meaning, do, key = _verdict(there, rule)
    return Why(
        summary=(line or otherwise).strip(),
        meaning=meaning,
        do=do,
        key=key,
        log_line=number + first - 1 if number else None,
        exit_code=there.exit_code if there and there.over else None,
        out_of_memory=there.out_of_memory if there else None,
        restarts=there.restarts if there else None,
        last_lines=tuple(lines[-LAST_LINES:]),
    )


def _starved(there: Instance) -> Verdict:
    """Whether its own limit was too small or its host, and whether that ended it or a process in it; what was restarted
    since does not tell which."""
    ended = there.exit_code in SIGKILLED and there.over
    killed = "it" if ended else "it, or a process in it" if there.restarts else "a process in it"
    meaning = f"Out of memory: the kernel killed {killed}"
    if limit := _limit_bytes(there):
        return f"{meaning} at the limit of its container, {limit / MIB:.0f} MiB.", _MORE, "resources.memory"
    return f"{meaning}; its host had no more{'' if there.spec else ', or its container no more to use'}.", _LESS, None


def _limit_bytes(there: Instance) -> int | None:
    limit = there.spec.limits.memory_bytes if there.spec else None
    return limit if isinstance(limit, int) else None


def _verdict(there: Instance | None, rule: FailureRule | None) -> Verdict:
    if there and there.out_of_memory:
        return _starved(there)
    if rule:
        lacks = rule.key == "resources.memory" and there and there.spec and not _limit_bytes(there)
        return rule.meaning, _LESS if lacks else rule.do, rule.key
    if there and there.over and there.exit_code in SIGKILLED:
        return _KILLED
    return _OF_EXIT.get(there.exit_code or 0, (None, None, None)) if there else (None, None, None)
