"""What is known of each target while a run goes on, and how that reads: one style for starts, one for fetches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from rich.text import Text

from llmstack.domain.event import Event, EventType
from llmstack.domain.ladder import RungResult
from llmstack.domain.outcome import Outcome
from llmstack.domain.progress import Progress
from llmstack.domain.target import Target
from llmstack.ui.clean import clean
from llmstack.ui.console import Streams
from llmstack.ui.progress import Fetch, fetch_line, where
from llmstack.ui.rungs import failure_lines, head_line, rung_lines, verdict
from llmstack.ui.units import duration


@dataclass(slots=True)
class Block:
    """One target of a run, as its events tell; times are seconds since the epoch."""

    target: Target
    since: float
    about: str = ""
    rungs: list[RungResult] = field(default_factory=list)
    fetches: dict[str, Fetch] = field(default_factory=dict)
    outcome: Outcome | None = None

    def take(self, event: Event) -> None:
        """Note one event of this target."""
        if event.type is EventType.START:
            self.about = event.message
        rung, progress, outcome = (event.data.get(key) for key in ("rung", "progress", "outcome"))
        if isinstance(rung, RungResult):
            self.rungs.append(rung)
        if isinstance(progress, Progress):
            self.fetches.setdefault(progress.item, Fetch(progress)).take(event.ts, progress)
        if isinstance(outcome, Outcome):
            self.outcome = outcome
            self.rungs = list(outcome.ladder.rungs) if outcome.ladder else self.rungs


Draw = Callable[[Block, Streams], Iterator[Text]]
"""A block as lines; drawn again and again while it lasts, and once more when it is over."""


def draw_start(block: Block, streams: Streams) -> Iterator[Text]:
    """The target's line, what is being fetched, its rungs, and why it failed; one line when that says it all."""
    outcome = block.outcome
    if outcome and not (block.rungs or block.about):
        yield Text("  ").append_text(verdict(outcome, block.target.name))
    else:
        yield head_line(block.target, block.about or " · ".join(outcome.urls if outcome else ()))
        fetches = () if outcome else block.fetches.values()
        yield from (fetch_line(fetch, block.target.host, bar=True, indent=4) for fetch in fetches)
        yield from rung_lines(block.rungs, streams.err.width)
        if outcome and not (outcome.ladder and outcome.ladder.rungs):
            yield Text("    ").append_text(verdict(outcome))
    if outcome:
        yield from failure_lines(outcome, streams)


def draw_fetch(block: Block, streams: Streams) -> Iterator[Text]:
    """A bar per item; a verdict where there was nothing to fetch, or it failed."""
    yield from (fetch_line(fetch, block.target.host, bar=True) for fetch in block.fetches.values())
    outcome = block.outcome
    if outcome and (outcome.error or not block.fetches):
        yield where(block.target.name, block.target.host).append_text(verdict(outcome))
        yield from failure_lines(outcome, streams)


def waiting(block: Block, now: float) -> Text:
    """The last line of a block that is not over: how long it has been going on."""
    return Text(f"    … {duration(max(0.0, now - block.since))}", "dim")


def report_lines(outcomes: Iterable[Outcome], abouts: Mapping[Target, str], streams: Streams) -> Iterator[Text]:
    """Finished blocks below their hosts, for an answer on stdout."""
    host: str | None = None
    for outcome in outcomes:
        target = outcome.target
        if target.host != host:
            host = target.host
            yield Text(clean(host), "bold")
        rungs = list(outcome.ladder.rungs) if outcome.ladder else []
        yield from draw_start(Block(target, 0.0, abouts.get(target, ""), rungs, {}, outcome), streams)
