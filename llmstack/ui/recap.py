"""How a run ended: one line per host, and what to do next."""

from __future__ import annotations

from collections.abc import Iterator

from llmstack.domain.ladder import Rung
from llmstack.domain.outcome import Outcome, RunResult, Status
from llmstack.domain.units import duration
from llmstack.ui.clean import line, prose
from llmstack.ui.rungs import flags
from llmstack.ui.text import Text

_STYLES = {
    Status.OK: "green",
    Status.CHANGED: "yellow",
    **dict.fromkeys((Status.UNREACHABLE, Status.FAILED, Status.UNHEALTHY), "red"),
    Status.SKIPPED: "cyan",
    Status.INTERRUPTED: "yellow",
}


def recap_lines(result: RunResult) -> Iterator[Text]:
    """`localhost : ok=0 changed=1 unreachable=0 failed=0 unhealthy=0 skipped=0  1.5 s`: every selected target counts
    once, the time on the last line is the whole run's; an empty line before."""
    hosts = result.recap()
    width = max(map(len, hosts), default=0)
    yield Text() if hosts or result.interrupted else line(("nothing to do: no service or model is picked", "yellow"))
    for index, (host, counts) in enumerate(hosts.items(), start=1):
        told = [
            line((f"{status.value}={counts[status]}", style if counts[status] else "dim"))
            for status, style in _STYLES.items()
            if counts[status] or status is not Status.INTERRUPTED
        ]
        took = f"  {duration(result.ms / 1000)}" if index == len(hosts) else ""
        yield prose((f"{host:<{width}}", "bold"), " : ", Text(" ").join(told), (took, "dim"))
    if result.interrupted:
        yield line(("interrupted; what was begun has been brought to an end", "yellow"))


def next_step(result: RunResult) -> Iterator[Text]:
    """After a run that changed something and went well: a question to ask a model and where it is reached, or what
    brings back what is gone. What failed has said its own."""
    changed = [outcome for outcome in result.outcomes if outcome.status is Status.CHANGED]
    answered = next(filter(_answers, result.outcomes), None)
    if not changed or result.exit_code:
        return
    if answered:
        yield line(("Try it:", "bold"), f'  llmstack ask {flags(answered)} --prompt "Why is the sky blue?"')
        yield line(" " * 9, (answered.urls[0], "cyan"))
    elif result.task in _THEN:
        label, task = _THEN[result.task]
        yield line(
            (f"{label}:", "bold"), f"  llmstack {task} {flags(changed[0]) if len(changed) == 1 else ''}".rstrip()
        )


_THEN = {"down": ("Start it again", "up"), "pull": ("Start it", "up"), "rm": ("Fetch it again", "pull")}
"""What comes after a task that is no start."""


def _answers(outcome: Outcome) -> bool:
    answered = outcome.ladder.find(Rung.ANSWERED) if outcome.ladder else None
    return bool(outcome.urls and answered and answered.ok and answered.answer)
