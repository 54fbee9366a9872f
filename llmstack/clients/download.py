"""A file by HTTP: goes on where it broke off, and is whole, checked and on disk before it gets its name."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import TypeVar

from llmstack.clients.origin import AGAIN, NOT_IT, Origin, opened
from llmstack.domain.progress import TOLD_EVERY_BYTES, Progress
from llmstack.domain.ticking import ticking
from llmstack.domain.weights import PART
from llmstack.errors import FetchError, PreflightError
from llmstack.protocols import Report

NoRoom = TypeVar("NoRoom", FetchError, PreflightError)
TICK_S = 0.5
CHUNK = 1 << 23
FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the server says of the file; by `validator` it is known to be the same one."""

    size_bytes: int | None
    sha256: str | None
    validator: str | None


def look(origin: Origin) -> Found:
    """Ask for one byte, which tells everything. Raises FetchError."""
    with opened(origin, {"Range": "bytes=0-0"}) as answer:
        told = answer.sha256
        if origin.sha256 and told and told != origin.sha256:
            what = f"its server says sha256 {told}, not {origin.sha256}"
            raise origin.error(what, NOT_IT, "digest")
        return Found(size_bytes=answer.part[0], sha256=origin.sha256 or told, validator=answer.validator)


def check_room(item: str, home: Path, needed_bytes: int) -> None:
    """Raises PreflightError for what does not fit on the disk of a folder, which may be yet to come."""
    free_bytes = shutil.disk_usage(next(place for place in (home, *home.parents) if place.exists())).free
    if needed_bytes > free_bytes:
        raise _no_room(PreflightError, item, home, needed_bytes, free_bytes)


def _no_room(kind: type[NoRoom], item: str, home: Path, needed_bytes: int | None, free_bytes: int) -> NoRoom:
    needs = "more" if needed_bytes is None else f"{needed_bytes / 1e6:.1f} MB"
    message = f"{item} needs {needs}, the disk of {home} has {free_bytes / 1e6:.1f} MB"
    hint = "`weights.prune` makes room; LLMSTACK_WEIGHTS names a folder on another disk"
    return kind(message, hint, kind="disk_full", needed_bytes=needed_bytes, free_bytes=free_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """One file of `origin` into `folder`. `accept` gets the part file and its sha256, looks at it and renames it."""

    origin: Origin
    folder: Path
    report: Report
    accept: Callable[[Path, str], None]

    def run(self) -> None:
        """Fetch what is still missing, beside what it will be called.

        Raises PreflightError when there is no room, FetchError for everything else; what arrived stays for the next
        time, unless it is wrong or the disk is full.
        """
        found = look(self.origin)
        part = self.folder / f"{hashlib.sha256(repr(found).encode()).hexdigest()[:12]}{PART}"
        with self._written(part, found) as file:
            if file.tell() != found.size_bytes:
                self._bring(file, found)
            digest = self._digest(file)
            if found.sha256 not in (None, digest):
                part.unlink()
                what = f"the sha256 of what arrived is {digest}, not {found.sha256}"
                raise self.origin.error(what, "run it again: nothing of it was kept", "digest")
            self.accept(part, digest)
            size_bytes = file.tell()
        self.report(Progress(self.origin.item, "fetched", size_bytes, size_bytes, done=True))

    @contextmanager
    def _written(self, part: Path, found: Found) -> Iterator[BufferedRandom]:
        """The part file at its end, locked, with room for the rest, and without what is left of other versions."""
        try:
            for old in set(self.folder.glob(f"*{PART}")) - {part}:
                old.unlink(missing_ok=True)
            check_room(self.origin.item, self.folder.parent, (found.size_bytes or 0) - _size(part))
            with part.open("a+b") as file:
                while not _locked(file):
                    self.report(Progress(self.origin.item, "fetched by another run", _size(part), found.size_bytes))
                    time.sleep(TICK_S)
                if not part.exists() or not os.path.samestat(part.stat(), os.fstat(file.fileno())):
                    raise self.origin.error("another run was at work on it", AGAIN, "busy", again=True)
                file.seek(0, os.SEEK_END)
                yield file
        except OSError as error:
            if error.errno not in FULL:
                raise self.origin.error(f"{self.folder}: {error.strerror}", "look at its rights", "disk") from error
            arrived_bytes = part.stat().st_size
            part.unlink()
            raise _no_room(FetchError, self.origin.item, self.folder.parent, found.size_bytes, arrived_bytes) from error

    def _bring(self, file: BufferedRandom, found: Found) -> None:
        """What is missing."""
        start = file.tell()
        if not (found.validator or found.sha256) or start > (found.size_bytes or start):
            start = file.seek(file.truncate(0))  # who knows whether it is the same file
        headers = {"Range": f"bytes={start}-"} if start else {}
        if start and found.validator:
            headers["If-Range"] = found.validator
        with opened(self.origin, headers) as answer:
            size_bytes, begins = answer.part
            if begins not in (0, start):
                what = f"asked for byte {start}, {self.origin.host} sent from {begins}"
                raise self.origin.error(what, "correct the address: its server cannot resume", "range")
            if begins != start:  # it has no ranges, or it is another file by now
                file.seek(file.truncate(0))
            with closing(ticking(answer.feed, TICK_S)) as pieces:
                told = -TOLD_EVERY_BYTES
                for piece in pieces:
                    file.write(piece or b"")
                    if piece is None or file.tell() - told >= TOLD_EVERY_BYTES:
                        told = file.tell()
                        self.report(Progress(self.origin.item, "fetching", told, found.size_bytes))
        if size_bytes is not None and file.tell() != size_bytes:
            raise self.origin.error(f"it was cut at {file.tell()} of {size_bytes} bytes", AGAIN, "cut", again=True)
        if found.size_bytes not in (None, file.tell()):
            what = f"it has {file.tell()} bytes, not {found.size_bytes}"
            raise self.origin.error(what, "it changed meanwhile: run it again", "length")

    def _digest(self, file: BufferedRandom) -> str:
        """Of what is on disk."""
        file.flush()
        os.fsync(file.fileno())
        size_bytes, digest = file.tell(), hashlib.sha256()
        file.seek(0)
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            self.report(Progress(self.origin.item, "checking", size_bytes, size_bytes))
        return digest.hexdigest()


def _locked(file: BufferedRandom) -> bool:
    """Take the lock, which ends with the file. False while somebody else has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
