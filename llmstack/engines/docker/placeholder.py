"""Containers that are never started: the lock of a stack, and the way into the weights volume.

Both are made of an empty image that is imported from an empty archive, so that no registry is needed.
"""

from __future__ import annotations

from collections.abc import Mapping

from llmstack.engines.docker.wire import WRITE_S, Wire

IMAGE = "llmstack/empty:1"
EMPTY_TAR = bytes(10240)


def create(wire: Wire, name: str, labels: Mapping[str, str], *mounts: Mapping[str, object]) -> str:
    """The new container's id. Raises LlmstackError(conflict=True) when the name is taken."""
    body = {"Image": IMAGE, "Cmd": ["-"], "Labels": dict(labels), "HostConfig": {"Mounts": list(mounts)}}
    with wire.doing(f"create {name}", timeout_s=WRITE_S) as api:
        try:
            return api.make(body, name)
        except api.not_found:
            repository, _, tag = IMAGE.partition(":")
            api.import_image_from_data(EMPTY_TAR, repository, tag)
            return api.make(body, name)


def remove(wire: Wire, container_id: str) -> None:
    """Remove it; no error when it is gone, or just being removed by someone else."""
    with wire.doing(f"remove {container_id[:12]}", timeout_s=WRITE_S) as api:
        try:
            api.remove_container(container_id, force=True)
        except api.refused as error:
            if error.status_code not in (404, 409):
                raise
