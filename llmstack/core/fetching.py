"""The one way in which anything is fetched: images, models of a server, model files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf

from llmstack.domain.fetching import GIVE_UP_S, Watch
from llmstack.domain.progress import Progress
from llmstack.errors import FetchError
from llmstack.protocols import Clock, Report

LOOK_S = 0.5


def fetched(
    item: str, step: Callable[[Report], None], report: Report, clock: Clock, give_up_s: float | None = None
) -> None:
    """Run `step` until it came to its end, again where that may help: each try goes on where the last one was.

    `step` tells once a second at least how far it is, whether or not bytes come, and ends when telling raises. Its
    FetchError says by `again=True` that another try is worth it. `report` hears a high-water mark with rate and time
    left, and ends everything by raising. Raises FetchError, and what `step` and `report` raise.
    """
    watch = Watch(item, give_up_s or GIVE_UP_S)
    while True:
        watch.begin(clock.monotonic())
        try:
            return step(lambda told: report(watch.take(told, clock.monotonic())))
        except FetchError as error:
            pause_s = watch.pause_s(error)
            if pause_s is None:
                raise
            phase = f"again in {pause_s:.0f} s: {error.data.get('kind', 'broke off')}"
        _pause(pause_s, replace(watch.shown, phase=phase), report, clock)


def followed(report: Report, clock: Clock) -> Report:
    """The same listener, who hears rate and time left too."""
    watches: dict[str, Watch] = {}
    return lambda told: report(watches.setdefault(told.item, Watch(told.item, inf)).take(told, clock.monotonic()))


def _pause(seconds: float, told: Progress, report: Report, clock: Clock) -> None:
    """Wait, but notice when the run is to end."""
    until = clock.monotonic() + seconds
    while (left_s := until - clock.monotonic()) > 0:
        report(told)
        clock.sleep(min(left_s, LOOK_S))
