"""What lies in an instance's volumes: copied to another instance, streamed out and in. It goes through the paths of
containers that do not run, so that it needs no image, no shell and no file system of the host."""

from __future__ import annotations

import posixpath
import tarfile
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from llmstack.domain.instance import Instance, InstanceSpec, Mount
from llmstack.engines import tars
from llmstack.engines.docker.body import VOLUME
from llmstack.engines.docker.rows import container_name
from llmstack.engines.docker.wire import WRITE_S, Wire
from llmstack.engines.labels import SERVICE, STACK
from llmstack.errors import FetchError
from llmstack.protocols import Report

if TYPE_CHECKING:
    from llmstack.domain.weights import Shelf

EXPORT = "/v5.6.0/libpod/volumes/{0}/export"


class WithVolumes:
    """What Docker's engine does with volumes."""

    _wire: Wire

    @abstractmethod
    def _there(self, name: str) -> Instance:
        """An instance. Raises NoMatchError."""

    def volumes(self, stack: str) -> Mapping[str, str]:
        """By their labels."""
        with self._wire.doing(f"list the volumes of {stack}") as api:
            rows = api.volumes(filters={"label": f"{STACK}={stack}"})["Volumes"] or ()
        return {row["Name"]: row["Labels"].get(VOLUME, "") for row in rows}

    def sharers(self, spec: InstanceSpec) -> Mapping[str, str]:
        """By what the list call tells of mounts; also who does not run."""
        mine = {*spec.own.values()}
        with self._wire.doing(f"look who mounts the volumes of {spec.service}") as api:
            rows = api.containers(all=True, filters={"volume": sorted(mine)})
        found: dict[str, str] = {}
        for row in rows:
            labels = row.get("Labels") or {}
            if (labels.get(STACK), labels.get(SERVICE)) != (spec.stack, spec.service):
                found |= {str(mount.get("Name")): container_name(row) for mount in row.get("Mounts") or ()}
        return {volume: name for volume, name in found.items() if volume in mine}

    def copy_volumes(self, name: str, spec: InstanceSpec, report: Report) -> None:
        """Volume by volume, from the old instance's path to the new one's; neither runs."""
        old = self._there(name)
        if old.spec is None:
            raise FetchError(f"{name} does not say what its volumes are", "it carries no label of llmstack's")
        mounted = {mount.source: mount for mount in old.spec.volumes}
        for mount in spec.volumes:
            was = mounted.get(mount.source)
            if was and old.spec.volume_name(was) != spec.volume_name(mount):
                with _content(self._wire, name, was, old.spec.volume_name(was), report) as content:
                    _put(self._wire, spec.name, mount.target, *content)

    def read_volumes(self, name: str) -> Iterator[bytes]:
        """Through the paths of its container, in one archive."""
        if spec := self._there(name).spec:
            for mount in spec.volumes:
                with _content(self._wire, name, mount, spec.volume_name(mount), lambda _: None) as (opened, folder):
                    yield from tars.packed(*opened, folder, mount.folder)
            yield tars.END

    def write_volumes(self, name: str, chunks: Iterable[bytes]) -> None:
        """Each volume's part of such an archive to where the volume is mounted."""
        spec = self._there(name).spec
        folders = sorted((mount.folder for mount in spec.volumes), key=len, reverse=True) if spec else ()

        def folder_of(member: tarfile.TarInfo) -> str:
            found = next((folder for folder in folders if tars.lies_in(member.name, folder)), None)
            if found is None:
                raise FetchError(f"{name} has no volume for {member.name}", "the archive is of another service")
            return found

        with tars.members(chunks, "the archive") as (tar, found):
            for folder, members in groupby(found, folder_of):
                _put(self._wire, name, f"/{folder}", (tar, members), folder)

    def shelf(self, stack: str) -> Shelf:
        """The weights volume."""
        from llmstack.engines.docker.weights import Volume

        return Volume(self._wire, stack)


@contextmanager
def _content(wire: Wire, name: str, mount: Mount, volume: str, report: Report) -> Iterator[tuple[tars.Opened, str]]:
    """An archive of what lies in a container's volume, and the folder in the archive where it lies.

    Of files in a container Podman says that root owns them, so there the volume is asked for by its name.
    """
    from llmstack.domain.progress import counted

    what, folder = f"{mount.target} of {name}", posixpath.basename(mount.folder)
    where: tuple[str, str] = ("/containers/{0}/archive", name)
    options: dict[str, Any] = {"params": {"path": mount.target}}
    if wire.podman:
        where, options, folder = (EXPORT, volume), {"versioned": False}, "."
        what += " (Podman can from 5.6 on)"
    with (
        wire.doing(f"read {what}", timeout_s=WRITE_S, otherwise=FetchError) as api,
        api.raw("GET", *where, **options, stream=True) as response,
        tars.members(counted(response.iter_content(tars.CHUNK), mount.source, report), what) as opened,
    ):
        yield opened, folder


def _put(wire: Wire, name: str, path: str, archive: tars.Opened, folder: str) -> None:
    """Fill a path of a container with what lies in a folder of an archive.

    Docker leaves the folder at the path as it is and applies only what lies below, so it is told by its name in the
    folder above. Podman sees a volume of a container at rest only by the very path of the volume.
    """
    above, own = (path, ".") if wire.podman else posixpath.split(path.rstrip("/"))
    data = chain(tars.packed(*archive, folder, own), (tars.END,))
    with wire.doing(f"fill {path} of {name}", timeout_s=WRITE_S, otherwise=FetchError) as api:
        api.raw("PUT", "/containers/{0}/archive", name, params={"path": above}, data=data)
