"""How a run ended: one line per host, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from llmstack.domain.ladder import Rung
from llmstack.domain.outcome import Outcome, RunResult, Status
from llmstack.ui.clean import clean
from llmstack.ui.console import Streams
from llmstack.ui.rungs import flags
from llmstack.ui.units import duration

_COUNTED = (Status.OK, Status.CHANGED, Status.UNREACHABLE, Status.FAILED, Status.UNHEALTHY, Status.SKIPPED)
_STYLES = {Status.OK: "green", Status.CHANGED: "yellow", Status.SKIPPED: "cyan"}


def recap_lines(result: RunResult) -> Iterator[Text]:
    """`localhost : ok=0  changed=1  unreachable=0  failed=0  unhealthy=0  skipped=0     1.5 s`: every selected target
    counts once, the time on the last line is the whole run's; an empty line before."""
    hosts = result.recap()
    yield Text()
    width = max((len(host) for host in hosts), default=0)
    for index, (host, counts) in enumerate(hosts.items(), start=1):
        line = Text.assemble((f"{clean(host):<{width}}", "bold"), " :")
        for status in _COUNTED:
            count = counts[status]
            line.append(" " if status is Status.OK else "  ")
            line.append(f"{status.value}={count}", _STYLES.get(status, "red") if count else "dim")
        yield line.append(f"     {duration(result.ms / 1000)}", "dim") if index == len(hosts) else line
    if result.interrupted:
        yield Text("interrupted; what was begun has been brought to an end", "yellow")


def next_step(result: RunResult, streams: Streams) -> Iterator[Text]:
    """After an `up` that changed something and went well: a question to ask a model, and where it is reached."""
    if result.exit_code or not any(outcome.status is Status.CHANGED for outcome in result.outcomes):
        return
    answered = next(filter(_answers, result.outcomes), None)
    if answered:
        ask = streams.command(f'ask {flags(answered)} --prompt "Why is the sky blue?"')
        yield Text.assemble(("Try it:", "bold"), f"  {ask}     ", (clean(answered.urls[0]), "cyan"))


def _answers(outcome: Outcome) -> bool:
    answered = outcome.ladder.find(Rung.ANSWERED) if outcome.ladder else None
    return bool(outcome.urls and answered and answered.ok and answered.answer)
