"""One controller at a time per stack, told on the host itself: a container that never starts, atomic by its name."""

from __future__ import annotations

import contextlib
import io
import tarfile
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from llmstack.engines import holder as holder_mark
from llmstack.engines.docker import placeholder, rows
from llmstack.engines.docker.wire import WRITE_S, Wire
from llmstack.engines.labels import LOCK, PREFIX, PUT, ROLE, STACK
from llmstack.errors import LlmstackError, LockedError
from llmstack.protocols import Renew

OWNER, HOLDER = PREFIX + "owner", PREFIX + "holder"
SINCE, EXPIRES = PREFIX + "since", PREFIX + "expires"
LEASE = "lease"
TRIES, LOOK_AGAIN_S = 40, 0.05


@contextlib.contextmanager
def lock(wire: Wire, stack: str, owner: str, lease_s: float, *, littered: bool = False) -> Iterator[Renew]:
    """Hold `stack` on this engine, by the engine's own clock; yields what makes the lease last `lease_s` from then on.

    A lease that ended is taken over, and so is one whose holder was a process of this machine that died: the old
    container is removed by its id, so that of two who do it one only wins. What such a holder left (or who else, where
    the stack is `littered`) is swept up first. Raises LockedError naming the holder, and on renewal when somebody took
    it over.
    """
    held, taken_over = _take(wire, stack, owner, lease_s)
    try:
        if littered or taken_over:
            from llmstack.engines.docker.leftovers import sweep

            sweep(wire, stack)
        yield lambda: _renew(wire, held, stack, lease_s)
    finally:
        with contextlib.suppress(LlmstackError):  # the lease ends by itself, and the run's own outcome matters more
            placeholder.remove(wire, held)


def is_litter(rows: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the containers of a stack show that a run died: its lock, or a way into a volume that no lock guards."""
    labels = [row["Labels"] for row in rows]
    holders = [each.get(HOLDER, "") for each in labels if each.get(ROLE) == LOCK]
    return all(map(holder_mark.is_dead, holders)) if holders else any(each.get(ROLE) == PUT for each in labels)


def _renew(wire: Wire, held: str, stack: str, lease_s: float) -> None:
    """Labels never change, but files do: the lease ends at the time of change of the file LEASE in the container."""
    info = tarfile.TarInfo(LEASE)
    info.mtime = int(wire.now() + lease_s)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(info)
    with wire.doing(f"renew the lock of {stack}", timeout_s=WRITE_S) as api:
        try:
            api.raw("PUT", "/containers/{0}/archive", held, params={"path": "/"}, data=data.getvalue())
        except api.not_found:
            raise LockedError(f"the lock of stack {stack} on {wire.host} was taken over", "run it again") from None


def _take(wire: Wire, stack: str, owner: str, lease_s: float) -> tuple[str, bool]:
    """The lock's container, and whether somebody's was taken over."""
    name = f"llmstack-{stack}-lock"
    holder: Mapping[str, str] = {}
    taken_over = False
    for _ in range(TRIES):
        now = wire.now()
        times = {SINCE: str(int(now)), EXPIRES: str(int(now + lease_s))}
        labels = {ROLE: LOCK, STACK: stack, OWNER: owner, HOLDER: holder_mark.me(), **times}
        try:
            return placeholder.create(wire, name, labels), taken_over
        except LlmstackError as error:
            if not error.data.get("conflict"):
                raise
        found = _holder(wire, name)
        if found is None:
            continue
        container_id, holder = found
        if not _over(wire, container_id, holder, now):
            break
        placeholder.remove(wire, container_id)
        taken_over = True
        time.sleep(LOOK_AGAIN_S)
    owner, since = holder.get(OWNER, "somebody unknown"), holder.get(SINCE, "")
    when = f" since {datetime.fromtimestamp(int(since), UTC).astimezone():%H:%M:%S}" if since.isdigit() else ""
    raise LockedError(
        f"stack {stack} on {wire.host} is locked by {owner}{when}",
        hint=f"that of a run that died ends by itself within {lease_s:.0f} s, or at once by: docker rm {name}",
        holder=owner,
    )


def _holder(wire: Wire, name: str) -> tuple[str, Mapping[str, str]] | None:
    with wire.doing(f"look at {name}") as api:
        try:
            data = api.inspect_container(name)
        except api.not_found:
            return None
    return str(data["Id"]), (data.get("Config") or {}).get("Labels") or {}


def _over(wire: Wire, container_id: str, holder: Mapping[str, str], now: float) -> bool:
    if holder_mark.is_dead(holder.get(HOLDER, "")):
        return True
    expires = holder.get(EXPIRES, "")
    return expires.isdigit() and int(expires) <= now and _renewed_until(wire, container_id) <= now


def _renewed_until(wire: Wire, container_id: str) -> float:
    """When a renewed lease ends, by the engine's clock; 0 for one that never was renewed, or is just being removed."""
    from llmstack.engines.docker.weights import path_stat

    with wire.doing("look at a lease") as api:
        try:
            answer = api.raw("HEAD", "/containers/{0}/archive", container_id, params={"path": f"/{LEASE}"})
        except api.refused:
            return 0.0
    return rows.seconds(path_stat(answer.headers).get("mtime")) or 0.0
