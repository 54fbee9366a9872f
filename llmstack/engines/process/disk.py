"""The folder of all instances, and what its disk refuses."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from llmstack.errors import LlmstackError, UnreachableError

ROOT_ENV = "LLMSTACK_PROCESS_ROOT"
TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def free_bytes(root: Path) -> int:
    """The room where it is, or will be."""
    return shutil.disk_usage(next(path for path in (root, *root.parents) if path.exists())).free


@contextlib.contextmanager
def disk(root: Path) -> Iterator[None]:
    """Raises UnreachableError for a root that refuses us, LlmstackError for a full or broken disk."""
    try:
        yield
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise UnreachableError(
            f"cannot use {error.filename or root}: {error.strerror}", f"set {ROOT_ENV} to a directory of yours"
        ) from error
    except OSError as error:
        raise LlmstackError(f"cannot use {error.filename or root}: {error.strerror}", "look at that disk") from error


def move(source: Path, target: Path) -> None:
    """Rename, never over another instance. Raises LlmstackError(conflict=True) when the name is taken."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno not in TAKEN:
            raise
        raise LlmstackError(
            f"the name {target.name} is taken in {target.parent}", "look at it with `status`", conflict=True
        ) from error
