"""What the last look at an engine showed: a run of many instances goes by it, instead of asking for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable


class Seen:
    """Images that are there, networks that stand, and the instances of each stack. It is forgotten at the next look,
    and what is done on its word fails aloud where somebody acted in between."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._facts: set[tuple[str, str]] = set()
        self._members: dict[str, set[str]] = {}

    def look(self, stack: str | None, names: Iterable[str]) -> None:
        """A new look at `stack` showed `names`."""
        with self._turn:
            self._facts.clear()
            self._members.clear()
            if stack:
                self._members[stack] = set(names)

    def once(self, kind: str, name: str, find_out: Callable[[], bool]) -> bool:
        """Whether it is so: True is remembered, and `find_out` is called by one thread at a time."""
        with self._turn:
            if (kind, name) not in self._facts:
                if not find_out():
                    return False
                self._facts.add((kind, name))
            return True

    def forget(self, kind: str, name: str) -> None:
        """It is so no more."""
        self._facts.discard((kind, name))

    def joined(self, stack: str, name: str) -> None:
        """An instance was made."""
        self._members.get(stack, set()).add(name)

    def stack_of(self, name: str) -> str | None:
        """The stack of an instance that was seen."""
        return next((stack for stack, names in self._members.items() if name in names), None)

    def left(self, stack: str, name: str) -> bool:
        """An instance is gone; whether it may have been the last one."""
        members = self._members.get(stack, set())
        members.discard(name)
        return not members
