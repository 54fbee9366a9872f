"""Deadlines that follow progress, and are always finite."""

from __future__ import annotations

from collections.abc import Callable

from llmstack.protocols import Clock

PROGRESS_EVERY_S = 1.0
CAP_FACTOR = 10


class Patience:
    """Waits as long as there is progress at least every `wait_s` seconds, and ten times that in all."""

    def __init__(self, clock: Clock, wait_s: float) -> None:
        self.clock, self.wait_s = clock, wait_s
        self.began = self.moved = self.looked = clock.monotonic()
        self.mark: object = None

    def spent_s(self, mark: Callable[[], object]) -> float | None:
        """The seconds waited in vain once it is enough, None before. `mark` tells how far things are; it is asked once
        a second at most, and another answer is progress."""
        now = self.clock.monotonic()
        if self.mark is None or now - self.looked >= PROGRESS_EVERY_S:
            self.looked = now
            found = mark()
            if found != self.mark:
                self.mark, self.moved = found, now
        enough = now - self.moved > self.wait_s or now - self.began > self.wait_s * CAP_FACTOR
        return now - self.began if enough else None
