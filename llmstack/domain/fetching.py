"""PURE: a fetch through all its tries: how far it is, how fast, whether it stands still, and whether to try again."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from llmstack.domain.progress import Progress
from llmstack.errors import FetchError

GIVE_UP_S = 120.0
"""Seconds without a byte after which a try is given up; the next one goes on where it was."""
STALLED_AFTER_S = 10.0
TRIES = 5
"""So often in a row is something tried that brings not a byte more."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
RESTARTS = 20
SLOWEST_DISK_BYTES_PER_S = 20_000_000
WORKING = ("verifying", "checking", "extracting", "writing")
"""Phases in which every byte has come, and the disk is waited for."""
WINDOW_S = 15.0


class Watch:
    """Times are seconds of a clock that never goes back.

    What sources tell goes down when a part starts anew, and lines come whether or not bytes do. So: a high-water mark,
    and a stall known by bytes alone.
    """

    def __init__(self, item: str, give_up_s: float = GIVE_UP_S) -> None:
        self.shown = Progress(item, "starting")
        self._give_up_s = give_up_s
        self._moved_s = 0.0
        self._latest = self._restarts = self._tries = self._best = 0
        self._pace = deque[tuple[float, int]]()

    def begin(self, now_s: float) -> None:
        """A try begins."""
        self._moved_s, self._latest, self._restarts = now_s, 0, 0
        self._pace.clear()

    def take(self, told: Progress, now_s: float) -> Progress:
        """What listeners hear of it.

        Raises FetchError(kind="stalled") when no byte came for too long, or it only ever starts anew.
        """
        before, self.shown = self.shown, self._shown(told)
        if self.shown.phase != before.phase:
            self._moved_s = now_s
            self._pace.clear()
        self._count(told.completed_bytes, before.completed_bytes, now_s)
        self.shown = self._paced(now_s)
        silent_s = now_s - self._moved_s
        if told.done:
            return self.shown
        if silent_s > self._patience_s():
            raise self._stalled(f"nothing arrived for {silent_s:.0f} s ({self.shown.phase})")
        if self._restarts > RESTARTS:
            raise self._stalled(f"the download started anew {self._restarts} times")
        return replace(self.shown, stalled_s=silent_s) if silent_s >= STALLED_AFTER_S else self.shown

    def pause_s(self, error: FetchError) -> float | None:
        """Seconds to wait before the next try; None where one more would not help."""
        high = self.shown.completed_bytes
        self._tries = 1 if high > self._best else self._tries + 1
        self._best = high
        if not error.data.get("again") or self._tries >= TRIES:
            return None
        return min(FIRST_PAUSE_S * 2.0 ** (self._tries - 1), LONGEST_PAUSE_S)

    def _shown(self, told: Progress) -> Progress:
        high = max(told.completed_bytes, self.shown.completed_bytes)
        total = max(told.total_bytes or 0, self.shown.total_bytes or 0) or None
        if told.done:
            return replace(told, completed_bytes=high, total_bytes=total)
        behind = told.completed_bytes and told.completed_bytes < high
        return replace(told, phase="resuming" if behind else told.phase, completed_bytes=high, total_bytes=total)

    def _count(self, completed: int, high: int, now_s: float) -> None:
        """Note whether bytes came."""
        if completed > self._latest:
            self._moved_s = now_s
        if completed > high:
            self._restarts = 0
        elif completed < self._latest:
            self._restarts += 1
        self._latest = completed

    def _paced(self, now_s: float) -> Progress:
        """With the rate of the last seconds, and what is left at that rate."""
        shown, pace = self.shown, self._pace
        pace.append((now_s, shown.completed_bytes))
        while len(pace) > 2 and now_s - pace[0][0] > WINDOW_S:
            pace.popleft()
        since_s, before = pace[0]
        if shown.done or now_s <= since_s or shown.completed_bytes <= before:
            return shown
        bytes_per_s = (shown.completed_bytes - before) / (now_s - since_s)
        left = max(0, shown.total_bytes - shown.completed_bytes) if shown.total_bytes else None
        return replace(shown, bytes_per_s=bytes_per_s, left_s=None if left is None else left / bytes_per_s)

    def _patience_s(self) -> float:
        """A digest over all bytes is checked without a word in between."""
        if self.shown.phase.lower().startswith(WORKING):
            return max(self._give_up_s, (self.shown.total_bytes or 0) / SLOWEST_DISK_BYTES_PER_S)
        return self._give_up_s

    def _stalled(self, why: str) -> FetchError:
        hint = "check the way to where it comes from; `stall_timeout_s:` of the service gives it more time"
        return FetchError(f"{self.shown.item}: {why}", hint, kind="stalled", again=True)
