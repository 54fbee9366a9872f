"""What happens to instances, by looking at their folders again and again."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from llmstack.domain.happening import Happening, What
from llmstack.engines.process.files import EXIT, LOCK, STATE, is_held

POLL_S = 0.05
Mark = tuple[object, ...]


def follow(root: Path, over: threading.Event) -> Iterator[Happening | None]:
    """Whatever changes until `over`; None once, when the first look is done."""
    before = _marks(root)
    yield None
    while not over.wait(POLL_S):
        now = _marks(root)
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) != now.get(name):
                what = What.CREATED if name not in before else What.REMOVED if name not in now else What.OTHER
                yield Happening(name, what)
        before = now


def _marks(root: Path) -> dict[str, Mark]:
    """What differs when something happened to an instance: cheap, because it is asked so often."""
    with contextlib.suppress(OSError), os.scandir(root) as entries:
        return {entry.name: _mark(entry.path) for entry in entries if entry.name[0] != "." and entry.is_dir()}
    return {}


def _mark(folder: str) -> Mark:
    return *_file(f"{folder}/{STATE}"), *_file(f"{folder}/{EXIT}"), is_held(f"{folder}/{LOCK}")


def _file(path: str) -> Mark:
    with contextlib.suppress(OSError):
        found = os.stat(path)
        return found.st_ino, found.st_mtime_ns
    return ()
