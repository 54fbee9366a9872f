"""What the classes of the API share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from llmstack.domain.event import Event


class Closing:
    """Usable as `with ...:`; `close` lets go of connections."""

    def close(self) -> None:
        """Let go of connections."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Listener:
    """Passes every event on."""

    def __init__(self, on_event: Callable[[Event], None] | None) -> None:
        self.on_event = on_event

    def emit(self, event: Event) -> None:
        """Take one event."""
        if self.on_event:
            self.on_event(event)
