"""Volumes of the fake engine: files in memory."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping

from llmstack.domain.instance import InstanceSpec
from llmstack.domain.leftover import Leftover, LeftoverKind
from llmstack.domain.progress import Progress
from llmstack.domain.weights import ModelFile
from llmstack.engines import tars
from llmstack.errors import FetchError, LlmstackError
from llmstack.protocols import Report
from llmstack.testing.script import ScriptedEngine


class ShelfInMemory:
    """Implements `domain.weights.Shelf` over a dictionary."""

    def __init__(self, content: dict[ModelFile, bytes]) -> None:
        self._content = content

    def files(self) -> tuple[ModelFile, ...]:
        """All of them."""
        return tuple(self._content)

    def read(self, file: ModelFile) -> Iterator[bytes]:
        """In one piece."""
        yield self._content[file]

    def drop(self, file: ModelFile) -> None:
        """Forget it."""
        del self._content[file]


class VolumesInMemory(ScriptedEngine):
    """What an engine does with volumes; tests read and write `data` (volume -> path -> content) as a server would."""

    def volumes(self, stack: str) -> Mapping[str, str]:
        """By who made them."""
        self._call("volumes", stack)
        return {name: service for name, (owner, service) in self.owners.items() if owner == stack}

    def sharers(self, spec: InstanceSpec) -> Mapping[str, str]:
        """Instances of other services."""
        self._call("sharers", spec.name)
        mine, mounted = {*spec.own.values()}, dict[str, str]()
        for name, one in self.instances.items():
            if one.spec and (one.stack, one.service) != (spec.stack, spec.service):
                mounted |= dict.fromkeys(_names(one.spec), name)
        return {volume: name for volume, name in mounted.items() if volume in mine}

    def copy_volumes(self, name: str, spec: InstanceSpec, report: Report) -> None:
        """All files at once."""
        self._call("copy_volumes", name)
        mounted = self._resting(name).own
        for source, copy in spec.own.items():
            was = mounted.get(source)
            if was and was != copy:
                self.data[copy] = dict(self.data[was])
                report(Progress(source, "copied", 100, 100, done=True))

    def read_volumes(self, name: str) -> Iterator[bytes]:
        """A real archive."""
        self._call("read_volumes", name)
        spec, out = self._resting(name), io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for mount in spec.volumes:
                for path, content in self.data[spec.volume_name(mount)].items():
                    member = tarfile.TarInfo(f"{mount.folder}/{path}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        yield out.getvalue()

    def write_volumes(self, name: str, chunks: Iterable[bytes]) -> None:
        """From a real archive."""
        self._call("write_volumes", name)
        spec = self._resting(name)
        names = {mount.folder: spec.volume_name(mount) for mount in spec.volumes}
        with tars.members(chunks, "the archive") as (tar, found):
            for member in found:
                folder = next((folder for folder in names if tars.lies_in(member.name, folder)), None)
                if folder is None:
                    raise FetchError(f"{name} has no volume for {member.name}")
                path, file = tars.moved(member.name, folder, "."), tar.extractfile(member)
                if file:
                    self.data[names[folder]][path] = file.read()

    def shelf(self, stack: str) -> ShelfInMemory | None:
        """What a test put into `files`; none where it stands for processes."""
        self._call("shelf", stack)
        return None if self.kind == "process" else ShelfInMemory(self.files)

    def leftovers(self, stack: str | None) -> tuple[Leftover, ...]:
        """Instances, then volumes."""
        self._call("leftovers", stack or "")
        rows = [
            Leftover(LeftoverKind.CONTAINER, name, f"instance of {one.service}", one.stack)
            for name, one in self.instances.items()
        ]
        rows += [
            Leftover(LeftoverKind.VOLUME, name, f"data of {service}", owner, sum(map(len, self.data[name].values())))
            for name, (owner, service) in self.owners.items()
        ]
        return tuple(row for row in rows if stack in (None, row.stack))

    def discard(self, leftover: Leftover) -> None:
        """Forget it, running or not. Raises LlmstackError for a volume that an instance mounts."""
        self._call("discard", leftover.name)
        users = [name for name, one in self.instances.items() if one.spec and leftover.name in _names(one.spec)]
        if leftover.kind is LeftoverKind.VOLUME and users:
            raise LlmstackError(f"volume {leftover.name} is in use by {users[0]}")
        self.instances.pop(leftover.name, None)
        self.data.pop(leftover.name, None)
        self.owners.pop(leftover.name, None)

    def _make_volumes(self, spec: InstanceSpec) -> None:
        for name in _names(spec):
            self.data.setdefault(name, {})
            self.owners.setdefault(name, (spec.stack, spec.service))

    def _resting(self, name: str) -> InstanceSpec:
        """The spec of an instance that does not run: what is copied must not change meanwhile."""
        there = self._there(name)
        if there.running or there.spec is None:
            raise LlmstackError(f"{name} is running", hint="stop it first")
        return there.spec


def _names(spec: InstanceSpec) -> list[str]:
    return [spec.volume_name(mount) for mount in spec.mounts if mount.volume]
