"""Time that stands still until a test moves it."""

from __future__ import annotations


class FakeClock:
    """A `Clock` advanced by hand; `sleep` returns at once, moves the time and is kept in `slept`."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._start = self._now = now
        self.slept: list[float] = []

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._now - self._start

    def sleep(self, seconds: float) -> None:
        """Move the time forward by `seconds`; does not wait."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let `seconds` (not negative) pass."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self._now += seconds
