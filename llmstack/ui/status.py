"""What runs, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from llmstack.domain.instance import NO_NETWORK, State
from llmstack.domain.report import StatusReport, StatusRow
from llmstack.domain.service import EXTERNAL
from llmstack.domain.units import UNKNOWN, memory, percent
from llmstack.ui.clean import line, prose
from llmstack.ui.table import known
from llmstack.ui.text import Text

FIGURES = ("DEVICE", "URL", "CPU", "MEMORY", "GPU MEM", "VERSION")
HEAD = ("STACK", "MODEL", "SERVICE", "HOST", "STATE", *FIGURES)
STYLES = {
    State.READY: "green",
    **dict.fromkeys((State.STARTING, State.LOADING, State.DEGRADED), "yellow"),
    **dict.fromkeys((State.CRASHED, State.UNREACHABLE), "red"),
}


def status_lines(report: StatusReport, width: int) -> Iterator[Text]:
    """The table, without columns that no row has anything for; below it what a state alone does not say. An inventory
    is of one stack."""
    first = 1 if report.inventory else 0
    yield from known(HEAD[first:], [_row(row)[first:] for row in report.rows], width, "STATE")
    for row in report.rows:
        if row.detail or not row.ours:
            yield prose((f"{row.target}: {row.detail or 'not ours'}", "dim"))
        if row.limits:
            yield prose((f"{row.target}: {row.limits}", "dim"))


def status_note(report: StatusReport) -> Iterator[Text]:
    """That there is nothing, or no inventory; else what to do about what is not as it should be."""
    if not report.rows and not report.errors:
        here = "no inventory found, and nothing serves models here" if report.inventory is None else ""
        yield prose(here or f"{report.inventory} wants no service and no model, and nothing runs")
    elif report.inventory is None:
        yield prose(("no inventory found: this is what serves models on this machine", "dim"))
    if report.inventory is None:
        yield line(("llmstack init writes an inventory", "dim"))
    for row in [row for row in report.rows if row.state is State.CRASHED and row.ours][:1]:
        if report.inventory:
            yield line(("Why:", "bold"), f"  llmstack why {_flags(row)}")
        elif row.engine == "docker":  # our own tasks would need its inventory
            yield line(("Why:", "bold"), f"  docker logs --tail 20 {row.container_name}")
    drifts = [row for row in report.rows if row.drifts and row.wanted] if report.inventory else []
    sick = [
        row for row in drifts if row.state is State.DEGRADED and row.engine != EXTERNAL and row.detail != NO_NETWORK
    ]
    missing = [row for row in drifts if row not in sick]
    if missing:
        yield line(("Make it so:", "bold"), f"  llmstack up {_flags(missing[0]) if len(missing) == 1 else ''}".rstrip())
    for service, host in dict.fromkeys((row.service, row.host) for row in sick):
        yield line(("Start anew:", "bold"), f"  llmstack restart --service {service}{_on(host)}")


def _flags(row: StatusRow) -> str:
    """What selects a row."""
    return f"--{'model' if row.model else 'service'} {row.model or row.service}{_on(row.host)}"


def _on(host: str) -> str:
    return "" if host == "localhost" else f" --host {host}"


def _row(row: StatusRow) -> list[Text]:
    return [
        *(line(cell or UNKNOWN) for cell in (row.stack, row.model, row.service, row.host)),
        line((row.state.value, STYLES.get(row.state, "dim"))),
        *figures(row),
    ]


def figures(row: StatusRow) -> list[Text]:
    """The cells below `FIGURES`."""
    return [
        line(row.device or UNKNOWN),
        line(row.url or UNKNOWN),
        line(percent(row.cpu_percent)),
        line(memory(row.memory_bytes, row.memory_limit_bytes)),
        line(memory(row.gpu_memory_bytes)),
        line(row.version or UNKNOWN),
    ]
