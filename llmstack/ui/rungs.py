"""One target's block: its line, its rungs, and why one failed with what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from llmstack.domain.clean import clean
from llmstack.domain.ladder import Answer, Rung, RungResult
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.target import Target, TargetKind
from llmstack.domain.units import duration, millis, rate
from llmstack.errors import LlmstackError
from llmstack.ui.clean import line, prose
from llmstack.ui.text import Text

_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("-", "yellow")}
_STATUS_MARKS = {
    Status.OK: ("✓", "green"),
    Status.CHANGED: ("✓", "yellow"),
    Status.WOULD_CHANGE: ("~", "yellow"),
    Status.SKIPPED: ("-", "dim"),
    Status.INTERRUPTED: ("-", "yellow"),
}


def head_line(target: Target, about: str) -> Text:
    """`demo@localhost  llamacpp · SmolLM2 · 127.0.0.1:8080`."""
    return prose((str(target), "bold"), (f"  {about}".rstrip(), "dim"))


def outcome_lines(outcome: Outcome, rungs: Iterable[RungResult], width: int, more: str = "") -> Iterator[Text]:
    """What a target came to: its rungs, to stand below its head, or one line (with `more` behind it) that says it
    all; and why it failed."""
    yield from rung_lines(rungs, width)
    if not outcome.ladder or not outcome.ladder.rungs:
        skipped = "skipped: " if outcome.status is Status.SKIPPED else ""
        reason = outcome.error.message if outcome.error else outcome.reason or outcome.status.value
        mark = _STATUS_MARKS.get(outcome.status, _MARKS[False])
        told = reason.removeprefix(str(outcome.target)).lstrip(": ")
        yield prose(mark, (f" {outcome.target}", "bold"), f"  {skipped}{told}", (more, "dim"))
    elif outcome.action and not outcome.error and outcome.reason not in ("", outcome.action.reason):
        yield prose(f"  {outcome.reason}")
    if outcome.error:
        yield from _failure(outcome, outcome.error)


def report_lines(outcomes: Iterable[Outcome], width: int) -> Iterator[Text]:
    """What each target came to, as an answer."""
    for outcome in outcomes:
        rungs = outcome.ladder.rungs if outcome.ladder else ()
        if rungs:
            yield head_line(outcome.target, " ".join(outcome.urls))
        yield from outcome_lines(outcome, rungs, width)


def rung_lines(rungs: Iterable[RungResult], width: int) -> list[Text]:
    """Rungs side by side as long as they fit in `width`; the answer begins a line of its own."""
    lines: list[Text] = []
    for result in rungs:
        part = (prose if result.ok is False else line)("  ", rung_text(result))
        if lines and result.rung is not Rung.ANSWERED and lines[-1].cell_len + part.cell_len <= width:
            lines[-1].append_text(part)
        else:
            lines.append(part)
    return lines


def flags(outcome: Outcome) -> str:
    """The flags that select an outcome's target: `--model qwen --host gpu02.lab`."""
    target = outcome.target
    placement = outcome.action.placement if outcome.action else None
    model = target.kind is TargetKind.MODEL or (placement is not None and placement.models)
    host = "" if target.host == "localhost" else f" --host {target.host}"
    return f"--{'model' if model else 'service'} {target.name}{host}"


def figures(answer: Answer) -> str:
    """`first token 38 ms · 118 tokens/s`, as far as they are known."""
    first = "" if answer.first_token_ms is None else f"first token {millis(answer.first_token_ms)}"
    speed = "" if answer.tokens_per_s is None else rate(answer.tokens_per_s)
    return " · ".join(filter(None, (first, speed)))


def rung_text(result: RungResult) -> Text:
    """`✓ loaded 1.2 s`."""
    said = result.detail or (duration(result.ms / 1000) if result.ok is not False else "failed")
    if result.rung is Rung.LINKED and result.ok:
        said += f" {duration(result.ms / 1000)}"
    if result.answer and result.ok:
        said = f"{duration(result.ms / 1000)}  {figures(result.answer)}".rstrip()
    mark, style = _MARKS[result.ok]
    return line(
        (mark, style), f" {result.rung.value}", (f": {said}", "red") if result.ok is False else (f" {said}", "dim")
    )


def _failure(outcome: Outcome, error: LlmstackError) -> Iterator[Text]:
    """Why it failed, as far as its rung does not say it already, what to do and where the log is."""
    why = outcome.ladder.why if outcome.ladder else None
    parts = {"why": "", "do": error.hint or "", "log": ""}
    if outcome.ladder and why:
        fallen = next((rung for rung in outcome.ladder.rungs if rung.ok is False), None)
        place = f"   (log line {why.log_line})" if why.log_line is not None else ""
        reason = "" if fallen and fallen.detail == why.summary else f"{clean(why.summary)}{place}"
        placement = outcome.action.placement if outcome.action else None
        ours = placement is None or placement.service.url is None
        there = not (fallen and fallen.rung is Rung.CREATED) and not error.data.get("rolled_back")
        parts = {
            "why": "\n".join(filter(None, (reason, why.meaning))),
            "do": why.do or ("" if ours else error.hint or ""),
            "log": f"llmstack logs {flags(outcome)}" if there and ours else "\n".join(why.last_lines),
        }
    yield Text()
    for label, text in parts.items():
        for index, row in enumerate(text.splitlines()):
            told = prose if label == "why" else line  # the others are commands, to be copied whole
            yield told((f"  {'' if index else label:<6}", "bold"), row)
