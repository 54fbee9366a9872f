"""Containers that are never started: the lock of a stack, and the way into the weights volume.

Both are made of an empty image that is imported from an empty archive, so that no registry is needed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from llmstack.engines.docker import holder as holder_mark
from llmstack.engines.docker.wire import WRITE_S, Wire
from llmstack.engines.labels import LOCK, PREFIX, ROLE, STACK
from llmstack.errors import LlmstackError, LockedError

IMAGE = "llmstack/empty:1"
EMPTY_TAR = bytes(10240)
OWNER, HOLDER = PREFIX + "owner", PREFIX + "holder"
SINCE, EXPIRES = PREFIX + "since", PREFIX + "expires"
TRIES, LOOK_AGAIN_S = 40, 0.05


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


@contextlib.contextmanager
def lock(wire: Wire, stack: str, owner: str, lease_s: float) -> Iterator[None]:
    """Hold `stack` on this engine, by the engine's own clock. Raises LockedError naming the holder.

    A lease that ended is taken over, and so is one whose holder was a process of this machine that died: the old
    container is removed by its id, so that of two who do it one only wins.
    """
    held = _take(wire, stack, owner, lease_s)
    try:
        yield
    finally:
        with contextlib.suppress(LlmstackError):  # the lease ends by itself, and the run's own outcome matters more
            remove(wire, held)


def _take(wire: Wire, stack: str, owner: str, lease_s: float) -> str:
    name = f"llmstack-{stack}-lock"
    holder: Mapping[str, str] = {}
    for _ in range(TRIES):
        now = wire.now()
        times = {SINCE: str(int(now)), EXPIRES: str(int(now + lease_s))}
        labels = {ROLE: LOCK, STACK: stack, OWNER: owner, HOLDER: holder_mark.me(), **times}
        try:
            return create(wire, name, labels)
        except LlmstackError as error:
            if not error.data.get("conflict"):
                raise
        found = _holder(wire, name)
        if found is None:
            continue
        container_id, holder = found
        if not _over(holder, now):
            break
        remove(wire, container_id)
        time.sleep(LOOK_AGAIN_S)
    raise _locked(stack, wire.host, name, holder)


def _holder(wire: Wire, name: str) -> tuple[str, Mapping[str, str]] | None:
    with wire.doing(f"look at {name}") as api:
        try:
            data = api.inspect_container(name)
        except api.not_found:
            return None
    return str(data["Id"]), (data.get("Config") or {}).get("Labels") or {}


def _over(holder: Mapping[str, str], now: float) -> bool:
    expires = holder.get(EXPIRES, "")
    return (expires.isdigit() and int(expires) <= now) or holder_mark.is_dead(holder.get(HOLDER, ""))


def _locked(stack: str, host: str, name: str, holder: Mapping[str, str]) -> LockedError:
    owner = holder.get(OWNER, "somebody unknown")
    since, expires = _clock(holder.get(SINCE)), _clock(holder.get(EXPIRES))
    return LockedError(
        f"stack {stack} on {host} is locked by {owner} since {since}",
        hint=f"wait for it; it ends at {expires} at the latest. If nobody works there: docker rm {name}",
        holder=owner,
        expires=holder.get(EXPIRES),
    )


def _clock(text: str | None) -> str:
    if not (text and text.isdigit()):
        return "an unknown time"
    return datetime.fromtimestamp(int(text), UTC).astimezone().strftime("%H:%M:%S")
