"""A checkup, as a list: what is well, what is not, and the command that repairs it."""

from __future__ import annotations

from collections.abc import Iterator

from llmstack.domain.checkup import Checkup, Verdict
from llmstack.ui.clean import line, prose
from llmstack.ui.text import Text

_MARKS = {
    Verdict.OK: ("✓", "green"),
    Verdict.WARNING: ("!", "yellow"),
    Verdict.FAILED: ("✗", "red"),
    Verdict.SKIPPED: ("-", "dim"),
}


def doctor_lines(checkup: Checkup) -> Iterator[Text]:
    """A line for each finding, with its host where it is not this program itself; below it what to do."""
    for one in checkup.findings:
        where = "" if one.target == "llmstack" else f" {one.target}"
        yield prose(_MARKS[one.verdict], (f" {one.check}{where}", "bold"), f"  {one.summary}")
        wrong = one.verdict in (Verdict.FAILED, Verdict.WARNING)
        for number, step in enumerate((one.fix or "").splitlines() if wrong else ()):
            yield line(("    do   " if number == 0 else "         ", "bold"), step)


def doctor_note(checkup: Checkup) -> Iterator[Text]:
    """How many are wrong."""
    count = {verdict: sum(one.verdict is verdict for one in checkup.findings) for verdict in Verdict}
    failed, warned = count[Verdict.FAILED], count[Verdict.WARNING]
    yield line(f"{len(checkup.findings)} checks: {failed} failed, {warned} to look at")
