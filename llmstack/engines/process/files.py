"""What lies in an instance's folder, and how it is written; standard library only (the shim loads it).

`labels.json` never changes; `state.json` and `exit.json` are replaced as a whole; `lock` is held by the shim for its
life, so that "alive" is a question to the kernel and no pid can be mistaken.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LABELS, STATE, EXIT, LOG, OLD_LOG, LOCK = "labels.json", "state.json", "exit.json", "log", "log.1", "lock"

CREATED, RUNNING, WAITING, ENDED = "created", "running", "waiting", "ended"
"""Phases in state.json; `waiting` is the pause before a restart."""


def write_json(path: str | Path, value: object) -> None:
    """Replace `path` as a whole, mode 0600. Raises OSError, and leaves nothing behind then."""
    fresh = f"{path}.{os.getpid()}.tmp"
    try:
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(value, file)
        os.replace(fresh, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(fresh)
        raise


def read_json(path: str | Path) -> dict[str, Any]:
    """The object in `path`; empty when there is none that can be read."""
    try:
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


@contextlib.contextmanager
def locked(path: str | Path, how: int = fcntl.LOCK_EX) -> Iterator[int | None]:
    """Hold `path` for a moment; yields its descriptor, None when another process has it. Raises OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield fd if try_lock(fd, how) else None
    finally:
        os.close(fd)


def try_lock(fd: int, how: int = fcntl.LOCK_EX) -> bool:
    """Take a lock that ends with the descriptor. False when another one holds it."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: str | Path) -> bool:
    """Whether a process holds `path` for itself. Lookers share the lock, so they do not see each other."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not try_lock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)
