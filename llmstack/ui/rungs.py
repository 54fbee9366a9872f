"""One target's block: its line, its rungs, and why one failed with what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.text import Text

from llmstack.domain.ladder import Answer, Rung, RungResult, Why
from llmstack.domain.outcome import Outcome, Status
from llmstack.domain.target import Target, TargetKind
from llmstack.ui.clean import clean
from llmstack.ui.console import Streams
from llmstack.ui.units import duration, millis, rate

MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("-", "yellow")}
_STATUS_MARKS = {
    Status.OK: ("✓", "green"),
    Status.CHANGED: ("✓", "yellow"),
    Status.WOULD_CHANGE: ("~", "yellow"),
    Status.SKIPPED: ("-", "dim"),
    Status.FAILED: ("✗", "red"),
    Status.UNREACHABLE: ("✗", "red"),
    Status.UNHEALTHY: ("✗", "red"),
}
_OWN_LINE = (Rung.ANSWERED, Rung.DEVICE)


def head_line(target: Target, about: str) -> Text:
    """`  demo  llamacpp · SmolLM2 · 127.0.0.1:8080`."""
    return Text.assemble("  ", (clean(target.name), "bold"), (f"  {clean(about)}".rstrip(), "dim"))


def rung_lines(rungs: Iterable[RungResult], width: int) -> list[Text]:
    """Rungs side by side as long as they fit in `width`; the answer and the device on lines of their own."""
    lines: list[Text] = []
    alone = True
    for result in rungs:
        part = _rung(result)
        alone = alone or result.rung in _OWN_LINE
        if alone or lines[-1].cell_len + 2 + part.cell_len > width:
            lines.append(Text("    "))
        else:
            lines[-1].append("  ")
        lines[-1].append_text(part)
        alone = result.rung in _OWN_LINE
    return lines


def verdict(outcome: Outcome, name: str = "") -> Text:
    """`✓ demo  stopped and removed`: an outcome in a few words."""
    mark, style = _STATUS_MARKS[outcome.status]
    reason = outcome.error.message if outcome.error else outcome.reason or outcome.status.value
    skipped = "skipped: " if outcome.status is Status.SKIPPED else ""
    return Text.assemble((mark, style), (f" {clean(name)} " if name else "", "bold"), f" {skipped}{clean(reason)}")


def failure_lines(outcome: Outcome, streams: Streams) -> Iterator[Text]:
    """Why it failed, what to do and where the log is; nothing for what went well."""
    error, why = outcome.error, outcome.ladder.why if outcome.ladder else None
    if error is None:
        return
    yield Text()
    if why:
        yield from _labelled("why", _reasons(why))
    log = streams.command(f"logs {flags(outcome)}") if why else None
    advice = [streams.spell(text) for text in (why.do if why else None, error.hint) if text]
    lines = [line for text in dict.fromkeys(advice) for line in text.splitlines()]
    yield from _labelled("do", [line for line in lines if not (log and line.startswith(streams.command("logs ")))])
    yield from _labelled("log", [log] if log else [])


def flags(outcome: Outcome) -> str:
    """The flags that select an outcome's target: `--model qwen --host gpu02.lab`."""
    target = outcome.target
    placement = outcome.action.placement if outcome.action else None
    model = target.kind is TargetKind.MODEL or (placement is not None and placement.models)
    host = "" if target.host == "localhost" else f" --host {clean(target.host)}"
    return f"--{'model' if model else 'service'} {clean(target.name)}{host}"


def figures(answer: Answer) -> str:
    """`first token 38 ms · 118 tokens/s`, as far as they are known."""
    known = []
    if answer.first_token_ms is not None:
        known.append(f"first token {millis(answer.first_token_ms)}")
    if answer.tokens_per_s is not None:
        known.append(rate(answer.tokens_per_s))
    return " · ".join(known)


def figure_lines(answer: Answer) -> Iterator[Text]:
    """`118 tokens · first token 38 ms · 61 tokens/s`, if anything is known."""
    count = None if answer.tokens is None else f"{answer.tokens} tokens"
    line = " · ".join(text for text in (count, figures(answer)) if text)
    if line:
        yield Text(line, "dim")


def _rung(result: RungResult) -> Text:
    mark, style = MARKS[result.ok]
    text = Text.assemble((mark, style), f" {result.rung.value}")
    if result.answer and result.ok:
        return text.append(f" {duration(result.ms / 1000)}  {figures(result.answer)}".rstrip(), "dim")
    if result.ok is False:
        return text.append(f"   {clean(result.detail) or 'failed'}", "red")
    return text.append(f" {clean(result.detail) or duration(result.ms / 1000)}", "dim")


def _reasons(why: Why) -> list[str]:
    line = clean(why.summary) + (f"   (log line {why.log_line})" if why.log_line is not None else "")
    return [line, *(why.meaning or "").splitlines()]


def _labelled(label: str, lines: Iterable[str]) -> Iterator[Text]:
    for index, line in enumerate(lines):
        yield Text.assemble("  ", (f"{'' if index else label:<6}", "bold"), clean(line))
