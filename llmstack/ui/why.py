"""Why a target is as it is: one page for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from llmstack.domain.inquiry import Inquest, Inquiry, Remedy
from llmstack.domain.ladder import RungResult, Why
from llmstack.domain.units import moment
from llmstack.ui.clean import line, prose
from llmstack.ui.rungs import rung_lines
from llmstack.ui.text import Text


def why_lines(inquest: Inquest, width: int) -> Iterator[Text]:
    """A page for each, an empty line between two."""
    for number, one in enumerate(inquest.inquiries):
        if number:
            yield Text()
        yield from _page(one, width)


def _page(one: Inquiry, width: int) -> Iterator[Text]:
    row = one.row
    yield prose((str(one.target), "bold"), f"  {row.state}", (f"  {row.detail}" if row.detail else "", "dim"))
    if one.ladder:
        if one.climbed_at:
            yield line((f"  last climb, {moment(one.climbed_at)}:", "dim"))
        yield from rung_lines(one.ladder.rungs, width)
    why = one.ladder.why if one.ladder else None
    if one.ladder and why:
        yield Text()
        yield from _told("why", _reasons(why, one.ladder.rungs))
        yield from _log(one, why)
        yield from _told("do", [why.do] if why.do else [])
    elif one.error:
        yield from _told("why", [one.error.message.removeprefix(f"{one.target}: ")])
        yield from _told("do", [one.error.hint] if one.error.hint else [])
    else:
        well = "nothing is wrong with it" if row.enabled else "it is off, as the inventory says"
        yield line((f"  {well}", "green"))
    yield from _place(one.remedy) if one.remedy else ()


def _reasons(why: Why, rungs: Sequence[RungResult]) -> list[str]:
    """As far as its rung does not say it already."""
    known = [rung.detail for rung in rungs]
    ended = f"exit code {why.exit_code}" if why.exit_code is not None else ""
    told = "memory" in (why.meaning or "")
    memory = "not out of memory" if ended and why.out_of_memory is False and not told else ""
    restarts = f"restarts {why.restarts}" if why.restarts is not None else ""
    facts = ", ".join(filter(None, (ended, memory, restarts if ended else "")))
    return [text for text in (why.summary, why.meaning, facts) if text and text not in known]


def _log(one: Inquiry, why: Why) -> Iterator[Text]:
    for number, text in one.excerpt:
        style = "bold" if number == why.log_line else "dim"
        yield prose(
            (f"  {'log' if (number, text) == one.excerpt[0] else '':<4}", "bold"), (f"{number:>5} | {text}", style)
        )
    for number, text in enumerate(() if one.excerpt else why.last_lines):
        yield prose((f"  {'' if number else 'log':<6}", "bold"), (text, "dim"))


def _place(remedy: Remedy) -> Iterator[Text]:
    """Where to make the change; the value, where `--fix` could write it."""
    key = f"{remedy.entry}.{remedy.key}"
    value = f" to {remedy.value}" if remedy.value is not None else ""
    where = f"  ({remedy.at})" if remedy.at else ""
    yield line(f"        {'change' if remedy.written else 'set'} {key}{value}{where}")
    if remedy.value is not None:
        yield line(("        --fix does that, and tries once more", "dim"))


def _told(label: str, texts: list[str]) -> Iterator[Text]:
    for number, text in enumerate(texts):
        yield prose((f"  {'' if number else label:<6}", "bold"), text)
