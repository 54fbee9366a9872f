"""Model files that were fetched to this machine: for processes to read, and on their way to other hosts."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from llmstack.domain.gguf import check_gguf
from llmstack.domain.instance import Weights
from llmstack.domain.weights import (
    MANIFESTS,
    PART,
    ModelFile,
    described,
    manifest_of,
    read_manifest,
    size_on_disk,
    whole,
)
from llmstack.errors import FetchError, LlmstackError, PreflightError, refused
from llmstack.modeltype.source import remote, weights_home
from llmstack.protocols import Report

if TYPE_CHECKING:
    from llmstack.clients.origin import Origin

CHUNK = 1 << 20


def obtain(weights: Weights, report: Report) -> None:
    """Have the file of a remote source whole at its path. Raises FetchError, PreflightError, ConfigError."""
    from llmstack.clients.download import Download

    path, home = Path(weights.path), weights_home()
    if whole(weights):
        return

    def accept(part: Path, sha256: str) -> None:
        """The manifest first: a file without one would not count."""
        try:
            check_gguf(str(part))
        except PreflightError as error:
            part.unlink()
            what = error.message.replace(str(part), "that came")
            raise FetchError(f"{weights.source}: {what}", "correct `source:`", kind="no_gguf") from None
        manifest = described(weights, part, sha256)
        _write(home / manifest.manifest_path, manifest.dumps())
        part.chmod(0o644)
        part.replace(path)
        _sync(path.parent)

    with refused(PreflightError, f"{path.parent} cannot be made", "see LLMSTACK_WEIGHTS"):
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    Download(origin=origin_of(weights), folder=path.parent, report=report, accept=accept).run()


def size_of(weights: Weights) -> int | None:
    """Bytes of a remote source, as far as its server tells them; it is asked. Raises FetchError, PreflightError."""
    from llmstack.clients.download import look

    manifest = manifest_of(weights)
    return manifest.size_bytes if manifest and whole(weights) else look(origin_of(weights)).size_bytes


def newest_of(weights: Weights) -> str | None:
    """The sha256 of what a remote source has now; None where it cannot be told. Only its server is asked."""
    from llmstack.clients.download import look

    try:
        return remote(weights.source).sha256 or look(origin_of(weights)).sha256
    except LlmstackError:
        return None


def check_room(weights: Weights, size_bytes: int | None) -> None:
    """Raises PreflightError where a remote source does not fit on this machine, beside what of it is there."""
    from llmstack.clients.download import check_room

    home = weights_home()
    came_bytes = sum(size_on_disk(part) or 0 for part in (home / weights.fingerprint).glob(f"*{PART}"))
    if size_bytes is not None and not whole(weights):
        check_room(weights.source, home, size_bytes - came_bytes)


def origin_of(weights: Weights) -> Origin:
    """Where its bytes are; of a repository the hub is asked. Raises FetchError, PreflightError."""
    from llmstack.clients.origin import Origin

    source = remote(weights.source)
    if source.repo is None:
        return Origin(item=weights.source, url=source.wanted, sha256=source.sha256)
    from llmstack.clients.hub import hub_origin

    return hub_origin(weights.source, source.repo, source.wanted, source.sha256)


class Folder:
    """Implements `domain.weights.Shelf` over what was fetched to this machine."""

    def __init__(self) -> None:
        self._home = weights_home()

    def files(self) -> tuple[ModelFile, ...]:
        """By their manifests; and what is left of fetches that nobody is at work on."""
        manifests = filter(None, map(read_manifest, sorted((self._home / MANIFESTS).glob("*.json"))))
        found = [each.seen(size_on_disk(self._home / each.path)) for each in manifests]
        parts = [part for part in sorted(self._home.glob(f"*/*{PART}")) if not _busy(part)]
        return (*found, *(_unfinished(part) for part in parts))

    def read(self, file: ModelFile) -> Iterator[bytes]:
        """From the disk."""
        path = self._home / file.path
        with refused(FetchError, f"{path} cannot be read", "look at its rights"), path.open("rb") as content:
            while chunk := content.read(CHUNK):
                yield chunk

    def drop(self, file: ModelFile) -> None:
        """With its manifest."""
        path = self._home / file.path
        with refused(LlmstackError, f"cannot delete {path}", "look at its rights"):
            path.unlink(missing_ok=True)
            if not file.path.endswith(PART):
                (self._home / file.manifest_path).unlink(missing_ok=True)
            with suppress(OSError):  # there may be another version of it
                (self._home / file.fingerprint).rmdir()


def _busy(part: Path) -> bool:
    """Whether a fetch is at work on it."""
    try:
        with part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    return False


def _unfinished(part: Path) -> ModelFile:
    return ModelFile(
        fingerprint=part.parent.name, name=part.name, source="unfinished", size_bytes=size_on_disk(part) or 0
    )


def _write(path: Path, content: bytes) -> None:
    """As a whole, and on disk."""
    path.parent.mkdir(mode=0o755, exist_ok=True)
    fresh = path.with_suffix(f".{os.getpid()}.tmp")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """What was renamed in it survives a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
