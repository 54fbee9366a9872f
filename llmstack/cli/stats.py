"""`stats` and `gpus`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmstack.cli.again import check_endless, show_again
from llmstack.cli.flags import OUTPUT, SELECT, TIMEOUT, WATCH
from llmstack.cli.session import Session
from llmstack.cli.task import look
from llmstack.errors import OK

if TYPE_CHECKING:
    from llmstack.domain.usage import StatsReport

EVERY_S = 1.0


@look(*(*SELECT, OUTPUT, WATCH, TIMEOUT), kind="stats", examples=("stats", "stats --model demo --watch -o ndjson"))
def stats(session: Session) -> int:
    """Show what everything that runs uses: CPU, memory, GPU, network, disk; changes nothing.

    CPU and GPU count 100 % for one core and one GPU; bytes of network and disk count from the start of an instance.
    With --watch one sample a minute is kept for `history --metrics`.
    """
    from llmstack.ui.stats import stats_lines

    if session[WATCH]:
        return _watch(session)
    with session.app() as app:
        report = app.stats(session.selection)
    code = session.answer(session.document(_items(report), *report.errors), stats_lines(report, session.out.width))
    session.tell(*report.errors)
    if not report.rows and not report.errors:
        session.warn("nothing of it runs")
    return code


def _watch(session: Session) -> int:
    """Raises InterruptedRunError when it is told to end."""
    from llmstack.ui.stats import stats_lines

    check_endless(session)
    with session.app() as app:
        for _ in app.turns(every_s=EVERY_S):
            report = app.stats(session.selection, keep=True)
            show_again(session, _items(report), stats_lines(report, session.out.width), *report.errors)
    return OK


def _items(report: StatsReport) -> list[dict[str, object]]:
    return [row.as_json() for row in report.rows]


@look(OUTPUT, kind="gpus", examples=("gpus", "gpus -o json"))
def gpus(session: Session) -> int:
    """Show this machine's NVIDIA GPUs, and who holds their memory: instances, other containers, other processes.

    Fails when the driver does not tell, and says why; a machine without GPUs is an answer.
    """
    from llmstack.ui.gpus import gpu_lines

    with session.app() as app:
        found = app.gpus_now()
    code = session.answer(session.document(held.as_json() for held in found), gpu_lines(found, session.out.width))
    if not found:
        session.warn("this machine has no NVIDIA GPU, or no driver for one")
    return code
