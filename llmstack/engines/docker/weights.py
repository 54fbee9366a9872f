"""Model files in the weights volume: one volume a host, written through a container that never starts."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from llmstack.domain.instance import Weights
from llmstack.domain.progress import Progress
from llmstack.engines.docker import placeholder
from llmstack.engines.docker.body import WEIGHTS_PATH, WEIGHTS_VOLUME, weights_mount
from llmstack.engines.docker.wire import WRITE_S, Wire
from llmstack.engines.labels import PUT, ROLE, STACK
from llmstack.errors import FetchError, LlmstackError
from llmstack.protocols import Report

CHUNK = 1024 * 1024
STAT = "X-Docker-Container-Path-Stat"
WAYS = 3


def holds(wire: Wire, weights: Weights) -> bool:
    """Whether the whole file lies in the volume. Writes nothing, so it can only look through a container that mounts
    the volume already; without one it says no, and `put` finds the file there."""
    with wire.doing("look for weights") as api:
        rows = api.containers(all=True, filters={"volume": WEIGHTS_VOLUME, "label": ROLE})
    return any(_size(wire, row["Id"], weights) == weights.size_bytes for row in rows[:WAYS])


def put(wire: Wire, stack: str, weights: Weights, report: Report) -> None:
    """Stream the file into the volume unless it is there, for `stack`, whose lock is held. Raises FetchError.

    A cut transfer leaves a shorter file, which is never taken for the whole one: the size is checked before and after.
    """
    with _opened(weights) as file:
        way = way_in(wire, stack, weights)
        try:
            if _size(wire, way, weights) != weights.size_bytes:
                _send(wire, way, archive(file, weights, report))
            if _size(wire, way, weights) != weights.size_bytes:
                raise FetchError(f"{weights.source} did not arrive whole on {wire.host}", "run it again")
        except LlmstackError:
            _give_back(wire, way, weights)
            raise
        finally:
            placeholder.remove(wire, way)
    report(Progress(weights.source, "copied", weights.size_bytes, weights.size_bytes, done=True))


def archive(file: BinaryIO, weights: Weights, report: Report) -> Iterator[bytes]:
    """A tar stream of the one file, never whole in memory. Raises FetchError when the file shrinks meanwhile."""
    folder, _, _ = weights.volume_path.rpartition("/")
    yield _head(folder, 0, tarfile.DIRTYPE, 0o755)
    yield _head(weights.volume_path, weights.size_bytes, tarfile.REGTYPE, 0o644)
    sent = 0
    while sent < weights.size_bytes:
        chunk = file.read(min(CHUNK, weights.size_bytes - sent))
        if not chunk:
            raise FetchError(f"{weights.path} became shorter while it was copied", "run it again")
        sent += len(chunk)
        yield chunk
        report(Progress(weights.source, "copying", sent, weights.size_bytes))
    yield bytes(-sent % tarfile.BLOCKSIZE + 2 * tarfile.BLOCKSIZE)


def _head(name: str, size: int, kind: bytes, mode: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mode = size, kind, mode
    return info.tobuf(tarfile.PAX_FORMAT)


def _opened(weights: Weights) -> BinaryIO:
    try:
        file = Path(weights.path).open("rb")  # noqa: SIM115 - the caller closes it
    except OSError as error:
        raise FetchError(f"{weights.path} cannot be read: {error.strerror}", "check `source`") from error
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size == weights.size_bytes:
        return file
    file.close()
    raise FetchError(f"{weights.path} has {size} bytes, not {weights.size_bytes}", "it changed; run it again")


def way_in(wire: Wire, stack: str, weights: Weights) -> str:
    """A container that mounts the volume. Of what a killed run left, nothing is there once the stack is locked."""
    name = f"llmstack-{stack}-put-{hashlib.sha256(weights.fingerprint.encode()).hexdigest()[:12]}"
    return placeholder.create(wire, name, {ROLE: PUT, STACK: stack}, weights_mount(read_only=False))


def _send(wire: Wire, container: str, data: Iterator[bytes]) -> None:
    with wire.doing("copy weights", timeout_s=WRITE_S, otherwise=FetchError) as api:
        api.raw("PUT", "/containers/{0}/archive", container, params={"path": WEIGHTS_PATH}, data=data)


def _size(wire: Wire, container: str, weights: Weights) -> int | None:
    """Bytes of the file in the volume as `container` sees it; None when it is not there."""
    with wire.doing("look for weights") as api:
        try:
            where = {"path": f"{WEIGHTS_PATH}/{weights.volume_path}"}
            response = api.raw("HEAD", "/containers/{0}/archive", container, params=where)
        except api.not_found:
            return None
        return size_of(response.headers)


def size_of(headers: Mapping[str, str]) -> int | None:
    """The size of a file by the headers that tell its path-stat; None when they tell none."""
    size = path_stat(headers).get("size")
    return size if isinstance(size, int) else None


def path_stat(headers: Mapping[str, str]) -> Mapping[str, object]:
    """What the headers of an answer about a path in a container say of it; empty when they say nothing."""
    try:
        stat = json.loads(base64.b64decode(headers.get(STAT, "")))
    except ValueError:
        return {}
    return stat if isinstance(stat, dict) else {}


def _give_back(wire: Wire, container: str, weights: Weights) -> None:
    """Empty a partial file: nothing can be deleted through an archive, and a full disk needs its room."""
    empty = Weights(source=weights.source, path=weights.path, fingerprint=weights.fingerprint, size_bytes=0)
    try:
        if _size(wire, container, weights):
            _send(wire, container, archive(io.BytesIO(), empty, lambda _: None))
    except LlmstackError:
        return
