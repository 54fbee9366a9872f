"""The log of an instance: written by its shim, read by anyone; standard library only (the shim loads it).

The newest output is in `log`, what came before in `log.1`; a reader follows from one to the other.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from llmstack.engines.process.files import LOG, OLD_LOG

LOG_BYTES = 10_000_000
LINE_BYTES = 65536
"""A longer line is cut, so that a reader's memory has a bound."""
POLL_S = 0.1


class LogWriter:
    """Appends to `log` in the current directory; cuts between lines where it can."""

    def __init__(self, limit_bytes: int = LOG_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._open()

    def write(self, data: bytes) -> None:
        """Append; what a full disk does not take is lost, because a server must never wait for its log."""
        if self._size_bytes + len(data) > self.limit_bytes:
            end_of_line = data.find(b"\n") + 1
            self._append(data[:end_of_line])
            self._rotate()
            data = data[end_of_line:]
        self._append(data)

    def _open(self) -> None:
        self._fd = os.open(LOG, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._size_bytes = os.fstat(self._fd).st_size

    def _append(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._size_bytes += os.write(self._fd, data)

    def _rotate(self) -> None:
        with contextlib.suppress(OSError):
            os.replace(LOG, OLD_LOG)
            old = self._fd
            self._open()
            os.close(old)


def read(folder: Path, tail: int | None) -> Iterator[str]:
    """The lines that are there now, or the last `tail` of them."""
    with contextlib.closing(LogReader(folder)) as reader:
        yield from _last((line for part in (reader.lines(), reader.rest()) for line in part), tail)


def follow(folder: Path, tail: int | None, alive: Callable[[], bool]) -> Iterator[str]:
    """The lines that are there (or the last `tail`), then each new one until `alive` says no and all is read."""
    with contextlib.closing(LogReader(folder)) as reader:
        going = alive()  # asked before reading, so that the last words are read after the end was seen
        yield from _last(reader.lines(), tail)
        while going:
            time.sleep(POLL_S)
            going = alive()
            yield from reader.lines()
        yield from reader.rest()


def _last(lines: Iterator[str], tail: int | None) -> Iterator[str]:
    return lines if tail is None else iter(deque(lines, maxlen=tail))


class LogReader:
    """Reads `log.1` and `log` of a folder as one stream, across rotations; the folder may vanish meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._old, self._new = folder / OLD_LOG, folder / LOG
        self._file: BinaryIO | None = None
        self._part = b""

    def lines(self) -> Iterator[str]:
        """All whole lines up to the present end."""
        while True:
            newer = self._newer()  # looked up before reading: a file that has a successor grows no more
            if self._file:
                yield from self._whole(self._file)
            if newer is None:
                return
            self.close()
            self._file = newer

    def rest(self) -> Iterator[str]:
        """The last line, when it has no end."""
        if self._part:
            yield self._take()

    def close(self) -> None:
        """Let go of the file."""
        if self._file:
            self._file.close()

    def _whole(self, file: BinaryIO) -> Iterator[str]:
        while piece := file.readline(LINE_BYTES):
            self._part += piece
            if piece.endswith(b"\n") or len(self._part) >= LINE_BYTES:
                yield self._take()

    def _take(self) -> str:
        line, self._part = self._part, b""
        return line.decode("utf-8", "replace").rstrip("\r\n")

    def _newer(self) -> BinaryIO | None:
        """The file after the present one, opened; None when that one is the newest."""
        present = os.fstat(self._file.fileno()).st_ino if self._file else None
        if present is not None and present == _inode(self._new):
            return None
        for path in (self._old, self._new):
            with contextlib.suppress(OSError):
                file = path.open("rb")
                if os.fstat(file.fileno()).st_ino != present:
                    return file
                file.close()
        return None


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
