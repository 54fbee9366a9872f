"""One controller at a time per stack: a file lock that ends with its holder, with the holder's name inside."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from llmstack.engines.process.files import locked, read_json
from llmstack.errors import LockedError
from llmstack.protocols import Renew


@contextlib.contextmanager
def stack_lock(path: Path, stack: str, owner: str, lease_s: float) -> Iterator[Renew]:
    """Hold `path` for `owner`. Raises LockedError naming the holder; OSError.

    The lease is only told, never enforced: the kernel frees the lock of a dead holder at once.
    """
    with locked(path) as fd:
        if fd is None:
            raise _locked_error(path, stack)
        now = time.time()
        holder = {"owner": owner, "pid": os.getpid(), "since": now}
        _write(fd, json.dumps({**holder, "expires": now + lease_s}))
        try:
            yield lambda: _write(fd, json.dumps({**holder, "expires": time.time() + lease_s}))
        finally:
            _write(fd, "")


def _write(fd: int, text: str) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, text.encode(), 0)


def _locked_error(path: Path, stack: str) -> LockedError:
    holder = read_json(path)
    since = holder.get("since")
    when = time.strftime(" since %H:%M:%S", time.localtime(since)) if isinstance(since, int | float) else ""
    return LockedError(
        f"{holder.get('owner') or 'another run'} works on stack '{stack}'{when}",
        f"it ends with its process (pid {holder.get('pid', 'unknown')})",
        **holder,
    )
