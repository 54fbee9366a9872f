"""The file of a backup: a plain tar, first a small document of what it is, then the volumes as they lie in their
container."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryFile

from llmstack.domain import units
from llmstack.errors import FetchError, PreflightError, refused

HEAD = "llmstack-backup.json"
CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup is of. `volumes` are the folders in which they lie, `created_at` is in seconds since the epoch."""

    stack: str
    service: str
    type: str
    image: str | None
    volumes: tuple[str, ...]
    created_at: float
    version: str


def save(file: str, manifest: Manifest, chunks: Iterable[bytes]) -> int:
    """Write a backup, for nobody else to read; it has its name only once it is whole. Returns its size in bytes.

    Raises FetchError for a disk that does not take it, and what reading raises; nothing is left then.
    """
    path = Path(file)
    part = path.with_name(f".{path.name}.part")
    try:
        with refused(FetchError, f"cannot write {path}", "choose another --file"):
            part.unlink(missing_ok=True)  # a killed run left it
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
                out.write(_head(manifest))
                out.writelines(chunks)
                out.flush()
                os.fsync(out.fileno())
                size = out.tell()
            part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()
    return size


def check_place(file: str | None, size_bytes: int = 0) -> None:
    """Raises PreflightError where no backup of that size can be written."""
    path = _named(file)
    try:
        wrong = "it is no file" if path.exists() and not path.is_file() else None
        with TemporaryFile(dir=path.parent):
            free_bytes = shutil.disk_usage(path.parent).free
        if free_bytes < size_bytes:
            wrong = f"it takes up to {units.size(size_bytes)}, and {units.size(free_bytes)} are free there"
    except OSError as error:
        wrong = error.strerror
    if wrong:
        raise PreflightError(f"cannot write {path}: {wrong}", "choose another --file")


def inspect(path: str | None) -> Manifest:
    """What a backup is of, once all of it was looked through. Raises PreflightError for what is no whole backup."""
    file = _named(path)
    try:
        with tarfile.open(file, "r:", encoding="utf-8") as tar:
            manifest = _manifest(tar)
            for _ in tar:
                pass
            end = tar.offset
        with file.open("rb") as raw:
            raw.seek(end)
            rest = raw.read(2 * tarfile.BLOCKSIZE)
        if any(rest) or len(rest) < 2 * tarfile.BLOCKSIZE:
            raise ValueError("it is cut")
    except OSError as error:
        raise PreflightError(f"cannot read {path}: {error.strerror or error}", "check --file") from error
    except (tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise PreflightError(f"{path} is no whole backup of llmstack's: {error}", "check --file") from error
    return manifest


def contents(path: str) -> Iterator[bytes]:
    """The volumes alone, as they were read. Raises FetchError."""
    try:
        with Path(path).open("rb") as file:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                head = tar.next()
                start = head.offset_data + _padded(head.size) if head else 0
            file.seek(start)
            while chunk := file.read(CHUNK):
                yield chunk
    except (OSError, tarfile.TarError) as error:
        raise FetchError(f"cannot read {path}: {error}", "check --file") from error


def _named(file: str | None) -> Path:
    if file is None:
        raise PreflightError("a backup is a file", "name it with --file")
    return Path(file)


def _head(manifest: Manifest) -> bytes:
    text = json.dumps(asdict(manifest), indent=2).encode()
    member = tarfile.TarInfo(HEAD)
    member.size, member.mtime, member.mode = len(text), int(manifest.created_at), 0o600
    return member.tobuf(tarfile.PAX_FORMAT) + text + bytes(_padded(len(text)) - len(text))


def _padded(size: int) -> int:
    return -(-size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE


def _manifest(tar: tarfile.TarFile) -> Manifest:
    member = tar.next()
    file = tar.extractfile(member) if member and member.name == HEAD and member.size < CHUNK else None
    if file is None:
        raise ValueError(f"it does not begin with {HEAD}")
    raw = json.load(file)
    return Manifest(**{**raw, "volumes": tuple(raw["volumes"])})
