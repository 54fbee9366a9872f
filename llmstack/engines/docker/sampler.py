"""Asks for the figures of many containers at once, in whichever way its engine answers soonest."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from llmstack.engines.docker.wire import Wire

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from llmstack.domain.usage import Usage

THREADS, MOST_THREADS = 8, 100
GAP_S, QUICK_S = 0.2, 0.05
"""Between our own first two samples: the machine's time, by which the CPU's share is told, has steps of 10 ms; the
clock, by which it is told quickly, has none."""

Json = Mapping[str, Any]


class Sampler:
    """Keeps the last sample of each container, by its id: the next one tells the CPU by it.

    Since Docker 25 an engine answers a single sample at once, as Podman always does. An older one lets everybody wait
    for its own clock, so there each container has a thread, and the engine takes both samples.
    """

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._last: dict[str, Json] = {}
        self._pool: ThreadPoolExecutor | None = None  # kept, since each thread has connections of its own

    def close(self) -> None:
        """Let go of the threads."""
        if self._pool:
            self._pool.shutdown()
            self._pool = None

    def usages(self, ids: Mapping[str, str], *, quick: bool = False) -> dict[str, Usage]:
        """Name -> what it uses, of running containers whose ids are given by their names."""
        from llmstack.engines.docker.usage import usage_of

        at_once = self._wire.samples_at_once
        if quick and not at_once:
            return {}
        fresh = [one for one in ids.values() if one not in self._last]
        if at_once and fresh:
            began = time.monotonic()
            self._last |= self._ask(fresh, one_shot=True)
            time.sleep(max(0.0, began + (QUICK_S if quick else GAP_S) - time.monotonic()))
        now = self._ask(ids.values(), one_shot=at_once)
        before = self._last if at_once else {}
        by_clock = quick or self._wire.podman
        found = {
            name: usage_of(now[one], before.get(one), by_clock=by_clock) for name, one in ids.items() if one in now
        }
        self._last = now
        return {name: usage for name, usage in found.items() if usage}

    def _ask(self, ids: Collection[str], *, one_shot: bool) -> dict[str, Json]:
        """Id -> answer; what went away meanwhile has none."""
        from concurrent.futures import ThreadPoolExecutor

        def ask(one: str) -> Json | None:
            with self._wire.doing("measure containers") as api:
                try:
                    answer: Json = api.stats(one, stream=False, one_shot=one_shot)
                except api.not_found:
                    return None
                return answer

        self._pool = self._pool or ThreadPoolExecutor(THREADS if one_shot else MOST_THREADS)
        return {one: answer for one, answer in zip(ids, self._pool.map(ask, ids), strict=True) if answer}
