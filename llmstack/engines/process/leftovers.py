"""What the embedded engine leaves on a disk: folders of instances, locks of stacks, and the root of it all."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from llmstack.domain.instance import Instance
from llmstack.domain.leftover import Leftover, LeftoverKind
from llmstack.domain.names import LOCK
from llmstack.engines.holder import has_ended
from llmstack.engines.process.files import locked

DRAFTS = ".*-*"
"""Folders of instances that are half made or half removed: `.new-PID-*` and `.gone-PID-*`."""


def abandoned(root: Path) -> list[Path]:
    """Drafts whose maker was killed."""
    drafts = (path for path in root.glob(DRAFTS) if path.is_dir())
    return [path for path in drafts if not (pid := path.name.split("-")[1]).isdigit() or has_ended(int(pid))]


def found(root: Path, instances: Iterable[Instance], stack: str | None) -> Iterator[Leftover]:
    """Instances by their names, then the files around them by their paths."""
    for each in instances:
        size = sum(file.lstat().st_size for file in (root / each.container_name).rglob("*") if not file.is_dir())
        yield Leftover(LeftoverKind.FOLDER, each.container_name, f"instance of {each.service}", each.stack, size)
    for path in sorted(root.glob(".*.lock")):
        mine = path.name[1:].removesuffix(".lock")
        if stack in (None, mine):
            yield Leftover(LeftoverKind.FILE, str(path), LOCK, mine)
    if stack is None and root.is_dir():
        yield Leftover(LeftoverKind.FOLDER, str(root), "folder of the process engine")


def delete(root: Path, path: Path) -> None:
    """Delete a lock that nobody holds, or the root with what killed runs left in it; what somebody else put there
    stays, and the root with it. Raises OSError."""
    if path == root and root.is_dir():
        for draft in root.glob(DRAFTS):
            shutil.rmtree(draft, ignore_errors=True)
        with contextlib.suppress(OSError):
            root.rmdir()
    elif path.parent == root and path.exists():
        with locked(path) as mine:
            if mine is not None:
                path.unlink(missing_ok=True)
