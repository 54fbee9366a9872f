"""What the last look at an engine showed: a run of many instances goes by it, instead of asking for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]


class Seen:
    """Images that are there, networks that stand, all containers, and the instances of a stack. It is forgotten at the
    next look, and what is done on its word fails aloud where somebody acted in between."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._facts: set[tuple[str, str]] = set()
        self._members: dict[str | None, set[str]] = {}
        self._rows: Rows | None = None

    def look(self, stack: str | None, names: Iterable[str]) -> None:
        """A new look at `stack` showed `names`."""
        with self._turn:
            self._facts.clear()
            self._rows = None
            self._members = {stack: set(names)} if stack else {}

    def once(self, kind: str, name: str, find_out: Callable[[], bool]) -> bool:
        """Whether it is so: True is remembered, and `find_out` is called by one thread at a time."""
        with self._turn:
            if (kind, name) not in self._facts and find_out():
                self._facts.add((kind, name))
            return (kind, name) in self._facts

    def rows(self, ask: Callable[[], Rows]) -> Rows:
        """All containers, asked for once."""
        with self._turn:
            if self._rows is None:
                self._rows = ask()
            return self._rows

    def stack_of(self, name: str) -> str | None:
        """The stack of an instance that was seen."""
        return next((stack for stack, names in self._members.items() if name in names), None)

    def left(self, stack: str, name: str) -> bool:
        """An instance is gone; whether it may have been the last one, with which the network goes."""
        members = self._members.get(stack, set())
        members.discard(name)
        if not members:
            self._facts.discard(("network", stack))
        return not members
