"""A reader that never waits for ever."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

Item = TypeVar("Item")
Leaving = Callable[[Callable[[], object]], None]


def ticking(source: Callable[[Leaving], Iterator[Item]], tick_s: float) -> Generator[Item | None, None, None]:
    """Items of `source`, and None whenever `tick_s` seconds passed without one; errors of `source` are raised here.

    `source` runs in a thread of its own, as a socket whose time-out was hit cannot be read any further. It is given a
    function that takes what to call when the consumer leaves, so that a silent connection does not outlive it.
    """
    feed = _Feed[Item]()
    threading.Thread(target=feed.fill, args=(source,), name="llmstack-stream", daemon=True).start()
    try:
        while True:
            try:
                item = feed.items.get(timeout=tick_s)
            except queue.Empty:
                yield None
                continue
            if isinstance(item, _End):
                if item.error:
                    raise item.error
                return
            yield item
    finally:
        feed.leave()


class _End:
    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class _Feed(Generic[Item]):
    """What the thread of `ticking` shares with its consumer."""

    def __init__(self) -> None:
        self.items: queue.Queue[Item | _End] = queue.Queue(maxsize=1024)
        self.left = threading.Event()
        self._farewells: list[Callable[[], object]] = []

    def on_leave(self, farewell: Callable[[], object]) -> None:
        self._farewells.append(farewell)
        if self.left.is_set():
            farewell()

    def leave(self) -> None:
        self.left.set()
        for farewell in self._farewells:
            farewell()

    def fill(self, source: Callable[[Leaving], Iterator[Item]]) -> None:
        end = _End()
        try:
            for item in source(self.on_leave):
                self._put(item)
                if self.left.is_set():
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            end = _End(error)
        self._put(end)

    def _put(self, item: Item | _End) -> None:
        while not self.left.is_set():
            with suppress(queue.Full):
                self.items.put(item, timeout=1)
                break
