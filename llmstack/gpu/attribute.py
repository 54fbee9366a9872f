"""Which container a process belongs to, by its control group. Pure: takes text, reads no files."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

# docker/<id>, docker-<id>.scope, libpod-<id>.scope, cri-containerd-<id>.scope, kubepods/.../<id>. Podman's monitor
# (libpod-conmon-<id>) stands outside its container.
_ID = re.compile(r"[/:-](?<!conmon-)([0-9a-f]{64})(?:\.scope)?(?=/|$)")


def container_ids(cgroup: str) -> tuple[str, ...]:
    """The container ids (64 hex digits) in the text of `/proc/<pid>/cgroup`, outermost first: a container inside a
    container has several, a process of the host none."""
    for line in cgroup.splitlines():
        if found := _ID.findall(line):
            return tuple(found)
    return ()


def owners(cgroups: Mapping[int, str], containers: Collection[str]) -> Mapping[int, str | None]:
    """The container of each pid, given its cgroup text: the innermost of those that the engine knows (`containers`), or
    None for a process of the host or of another engine."""
    return {pid: _innermost(container_ids(text), containers) for pid, text in cgroups.items()}


def _innermost(ids: tuple[str, ...], containers: Collection[str]) -> str | None:
    return next((container for container in reversed(ids) if container in containers), None)
