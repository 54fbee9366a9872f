"""Tar streams that are never whole in memory: checked, read member by member, and packed under other names."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from llmstack.errors import FetchError

CHUNK = 1024 * 1024
END = bytes(2 * tarfile.BLOCKSIZE)
"""The blocks that close an archive; a stream that was cut lacks them."""


class _Chunks:
    """As much of a file as a tar reader needs."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = filter(None, chunks)

    def read(self, _size: int = -1) -> bytes:
        return next(self._chunks, b"")


def whole(chunks: Iterable[bytes], what: str) -> Iterator[bytes]:
    """The same chunks. Raises FetchError after the last one when the archive was cut."""
    tail = b""
    for chunk in chunks:
        tail = (tail + chunk)[-len(END) :]
        yield chunk
    if tail != END:
        raise FetchError(f"{what} is cut: it does not end as a tar archive does", "nothing was lost; try again")


Opened = tuple[tarfile.TarFile, Iterator[tarfile.TarInfo]]


@contextmanager
def members(chunks: Iterable[bytes], what: str) -> Iterator[Opened]:
    """An archive and its members one by one, each of which must be read before the next. Raises FetchError."""
    checked = whole(chunks, what)
    try:
        with tarfile.open(fileobj=_Chunks(checked), mode="r|", encoding="utf-8", bufsize=CHUNK) as tar:  # type: ignore[call-overload]
            yield tar, _each(tar)
            for _ in checked:  # the reader stops at the first closing block
                pass
    except tarfile.TarError as error:
        raise FetchError(f"{what} is no whole tar archive: {error}", "nothing was lost; try another") from error


def _each(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while member := tar.next():
        tar.members.clear()  # type: ignore[attr-defined]  # else it remembers them all
        yield member


def packed(tar: tarfile.TarFile, found: Iterable[tarfile.TarInfo], was: str, now: str) -> Iterator[bytes]:
    """What lies in folder `was` of an archive, as the stream of an archive (without its closing blocks) that has it in
    folder `now`. Raises FetchError for a member that leads out of it."""
    for member in found:
        member.name = moved(member.name, was, now)
        if member.islnk():
            member.linkname = moved(member.linkname, was, now)
        kept = member.pax_headers.items()
        member.pax_headers = {name: value for name, value in kept if name not in ("path", "linkpath")}
        yield member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
        yield from content(tar, member)
        yield bytes(-member.size % tarfile.BLOCKSIZE if member.isreg() else 0)


def content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    """The bytes of a file; none of anything else."""
    file = tar.extractfile(member) if member.isreg() else None
    while file and (chunk := file.read(CHUNK)):
        yield chunk


def moved(path: str, was: str, now: str) -> str:
    """A member's path in folder `now` instead of `was`. Raises FetchError for one that does not stay there."""
    rest = posixpath.relpath(posixpath.normpath(path), was)
    if ".." in path.split("/") or not lies_in(path, was):
        raise FetchError(f"the archive holds {path}, which leads out of its volume", "it is no backup of llmstack's")
    return posixpath.normpath(f"{now}/{rest}")


def lies_in(path: str, folder: str) -> bool:
    """Whether a member is a folder, or lies in it; in `.` lies whatever has no absolute path."""
    if folder == ".":
        return not path.startswith("/")
    return f"{path.removeprefix('./')}/".startswith(f"{folder}/")
