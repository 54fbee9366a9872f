"""Model files in the weights volume: one volume a host, written and read through a container that never starts."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import secrets
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import BinaryIO

from llmstack.domain.engine_facts import ROOM_HINT
from llmstack.domain.instance import InstanceSpec, Need, Weights
from llmstack.domain.progress import Progress
from llmstack.domain.weights import MANIFESTS, ModelFile, described, loads
from llmstack.engines import tars
from llmstack.engines.docker import placeholder
from llmstack.engines.docker.body import WEIGHTS_PATH, WEIGHTS_VOLUME, weights_mount
from llmstack.engines.docker.facts import facts_of
from llmstack.engines.docker.wire import WRITE_S, Wire
from llmstack.engines.labels import PUT, ROLE, STACK
from llmstack.errors import FetchError, LlmstackError, PreflightError, refused
from llmstack.protocols import Report

CHUNK = 1024 * 1024
STAT = "X-Docker-Container-Path-Stat"
WAYS = 3
LONGEST_MANIFEST_BYTES = 1 << 16


def missing(wire: Wire, spec: InstanceSpec) -> Iterator[Need]:
    """The file, unless a container that mounts the volume shows it whole: nothing is written, so there is no other way
    to look; without one, `put` sees what is there. Raises PreflightError."""
    wanted = spec.weights
    ways = _ways(wire) if wanted else []
    if wanted is None or any(_whole(wire, way, wanted) for way in ways):
        return
    if not (wanted.remote or Path(wanted.path).is_file()):
        raise PreflightError(f"{spec.target}: model file {wanted.path} is not there", "correct `source:`")
    perhaps = not ways and _made(wire)
    yield Need(kind="weights", name=wanted.source, size_bytes=wanted.size_bytes, perhaps=perhaps)


def put(wire: Wire, stack: str, weights: Weights, report: Report) -> None:
    """Stream the file into the volume unless it is there, for `stack`, whose lock is held. Raises FetchError.

    A cut transfer leaves a shorter file, which is never taken for the whole one: the size is checked before and after.
    """
    with _opened(weights) as (file, manifest), way_in(wire, stack) as way:
        size = manifest.size_bytes
        try:
            if not _whole(wire, way, weights):
                with wire.doing("ask for room") as api:
                    facts_of("", None, api.info(), wire.address).check_room(f"{weights.source} on {wire.host}", size)
                _send(wire, way, archive(file, manifest, report))
            if _size(wire, way, weights.volume_path) != size:
                raise FetchError(f"{weights.source} did not arrive whole on {wire.host}", "run it again")
        except LlmstackError as error:
            _give_back(wire, way, weights.volume_path)
            if error.hint != ROOM_HINT or not isinstance(error, FetchError):
                raise
            message = f"{error.message}: {weights.source} needs {size / 1e6:.1f} MB"
            raise FetchError(message, error.hint, kind="disk_full", needed_bytes=size) from error
    report(Progress(weights.source, "copied", size, size, done=True))


class Volume:
    """The weights volume as `stack` sees it, through a container of its own where there is no other."""

    def __init__(self, wire: Wire, stack: str) -> None:
        self._wire, self._stack = wire, stack

    def files(self) -> tuple[ModelFile, ...]:
        """By their manifests."""
        if not _made(self._wire):
            return ()
        with self._way() as way:
            found = filter(None, map(loads, _contents(self._wire, way, MANIFESTS)))
            return tuple(each.seen(_size(self._wire, way, each.path)) for each in found)

    def read(self, file: ModelFile) -> Iterator[bytes]:
        """As an archive of one file."""
        with self._way() as way:
            for chunks in _members(self._wire, way, file.path):
                yield from chunks

    def drop(self, file: ModelFile) -> None:
        """Empty it and its manifest: nothing can be deleted through an archive. The stack is locked."""
        with way_in(self._wire, self._stack) as way:
            _send(self._wire, way, archive(io.BytesIO(), replace(file, size_bytes=0), lambda _: None))

    @contextmanager
    def _way(self) -> Iterator[str]:
        if ways := _ways(self._wire):
            yield ways[0]
            return
        with way_in(self._wire, self._stack) as way:
            yield way


def archive(file: BinaryIO, manifest: ModelFile, report: Report) -> Iterator[bytes]:
    """A tar stream of the one file and then its manifest, with the digest of what was sent; never whole in memory.
    Raises FetchError when the file shrinks meanwhile."""
    digest, sent = hashlib.sha256(), 0
    yield _head(manifest.fingerprint, 0, tarfile.DIRTYPE, 0o755)
    yield _head(manifest.path, manifest.size_bytes, tarfile.REGTYPE, 0o644)
    while sent < manifest.size_bytes:
        chunk = file.read(min(CHUNK, manifest.size_bytes - sent))
        if not chunk:
            raise FetchError(f"{manifest.name} became shorter while it was copied", "run it again")
        digest.update(chunk)
        sent += len(chunk)
        yield chunk
        report(Progress(manifest.source, "copying", sent, manifest.size_bytes))
    yield bytes(-sent % tarfile.BLOCKSIZE)
    told = replace(manifest, sha256=digest.hexdigest()).dumps()
    yield _head(MANIFESTS, 0, tarfile.DIRTYPE, 0o755)
    yield _head(manifest.manifest_path, len(told), tarfile.REGTYPE, 0o644)
    yield told + bytes(-len(told) % tarfile.BLOCKSIZE) + tars.END


def _head(name: str, size: int, kind: bytes, mode: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.mode = size, kind, mode
    return info.tobuf(tarfile.PAX_FORMAT)


@contextmanager
def _opened(weights: Weights) -> Iterator[tuple[BinaryIO, ModelFile]]:
    path = Path(weights.path)
    with refused(FetchError, f"{path} cannot be read", "check `source`"):
        file, manifest = path.open("rb"), described(weights, path, None)
    with file:
        if weights.size_bytes not in (None, manifest.size_bytes):
            what = f"{weights.path} has {manifest.size_bytes} bytes, not {weights.size_bytes}"
            raise FetchError(what, "it changed; run it again")
        yield file, manifest


def _made(wire: Wire) -> bool:
    with wire.doing("look for the weights volume") as api:
        try:
            api.inspect_volume(WEIGHTS_VOLUME)
        except api.not_found:
            return False
    return True


def _ways(wire: Wire) -> list[str]:
    """Containers that mount the volume already."""
    with wire.doing("look for weights") as api:
        rows = api.containers(all=True, filters={"volume": WEIGHTS_VOLUME, "label": ROLE})
    return [row["Id"] for row in rows[:WAYS]]


@contextmanager
def way_in(wire: Wire, stack: str) -> Iterator[str]:
    """A container that mounts the volume. Of what a killed run left, nothing is there once the stack is locked."""
    name = f"llmstack-{stack}-put-{secrets.token_hex(6)}"
    way = placeholder.create(wire, name, {ROLE: PUT, STACK: stack}, weights_mount(read_only=False))
    try:
        yield way
    finally:
        placeholder.remove(wire, way)


def _send(wire: Wire, container: str, data: Iterator[bytes]) -> None:
    with wire.doing("copy weights", timeout_s=WRITE_S, otherwise=FetchError) as api:
        api.raw("PUT", "/containers/{0}/archive", container, params={"path": WEIGHTS_PATH}, data=data)


def _whole(wire: Wire, container: str, weights: Weights) -> bool:
    """Whether the file has the size that it must have; of a fetched one the manifest, which came last, tells it."""
    size = weights.size_bytes
    if size is None:
        manifests = _contents(wire, container, f"{MANIFESTS}/{weights.fingerprint}.json")
        size = next((each.size_bytes for each in map(loads, manifests) if each), None)
    return size is not None and _size(wire, container, weights.volume_path) == size


def _contents(wire: Wire, container: str, path: str) -> list[bytes]:
    """Of the manifests at a path; none where there is nothing."""
    return [b"".join(chunks) for chunks in _members(wire, container, path, LONGEST_MANIFEST_BYTES)]


def _members(wire: Wire, container: str, path: str, most_bytes: float = inf) -> Iterator[Iterator[bytes]]:
    where = {"path": f"{WEIGHTS_PATH}/{path}"}
    with wire.doing("read weights", timeout_s=WRITE_S, otherwise=FetchError) as api:
        try:
            response = api.raw("GET", "/containers/{0}/archive", container, params=where, stream=True)
        except api.not_found:
            return
        with response, tars.members(response.iter_content(CHUNK), path) as (tar, found):
            yield from (tars.content(tar, each) for each in found if each.isreg() and each.size <= most_bytes)


def _size(wire: Wire, container: str, path: str) -> int | None:
    """Bytes of a file in the volume as `container` sees it; None when it is not there."""
    with wire.doing("look for weights") as api:
        try:
            where = {"path": f"{WEIGHTS_PATH}/{path}"}
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


def _give_back(wire: Wire, container: str, path: str) -> None:
    """Empty a partial file: a full disk needs its room."""
    fingerprint, _, name = path.partition("/")
    empty = ModelFile(fingerprint=fingerprint, name=name, source="", size_bytes=0)
    try:
        if _size(wire, container, path):
            _send(wire, container, archive(io.BytesIO(), empty, lambda _: None))
    except LlmstackError:
        return
