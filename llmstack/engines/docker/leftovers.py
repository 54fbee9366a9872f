"""Everything of ours on an engine, told by labels, and how each is removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmstack.domain import leftover
from llmstack.domain.leftover import Leftover, LeftoverKind
from llmstack.engines.docker import network, placeholder
from llmstack.engines.docker.body import VOLUME, WEIGHTS_VOLUME
from llmstack.engines.docker.rows import container_name
from llmstack.engines.docker.wire import WRITE_S, Wire
from llmstack.engines.labels import LOCK, PUT, ROLE, SERVE, SERVICE, STACK
from llmstack.errors import LlmstackError

Json = Mapping[str, Any]


def found(wire: Wire, stack: str | None) -> Iterator[Leftover]:
    """Containers, networks, volumes and the empty image, as far as they belong to `stack`."""
    everything = (*_containers(wire), *_networks(wire), *_volumes(wire), *_images(wire))
    yield from (each for each in everything if stack in (None, each.stack))


def _containers(wire: Wire) -> Iterator[Leftover]:
    with wire.doing("list containers") as api:
        rows = api.containers(all=True, filters={"label": ROLE})
    for row in rows:
        labels = row["Labels"]
        other = leftover.LOCK if labels[ROLE] == LOCK else "a copy of weights that was cut"
        what = f"instance of {labels[SERVICE]}" if SERVICE in labels else other
        yield _leftover(LeftoverKind.CONTAINER, container_name(row), what, labels)


def _networks(wire: Wire) -> Iterator[Leftover]:
    with wire.doing("list networks") as api:
        rows = api.networks(filters={"label": STACK})
    for row in rows:
        yield _leftover(LeftoverKind.NETWORK, row["Name"], "network of the stack", row["Labels"])


def _volumes(wire: Wire) -> Iterator[Leftover]:
    with wire.doing("list volumes") as api:
        rows = api.volumes(filters={"label": VOLUME})["Volumes"] or ()
    sizes = _sizes(wire) if rows else {}
    for row in rows:
        weights = row["Name"] == WEIGHTS_VOLUME
        what = "weights of all stacks" if weights else f"data of {row['Labels'][VOLUME]}"
        yield _leftover(LeftoverKind.VOLUME, row["Name"], what, row["Labels"], sizes.get(row["Name"]))


def _sizes(wire: Wire) -> dict[str, int]:
    """Bytes by volume; those that the engine cannot tell are left out."""
    try:
        with wire.doing("measure volumes", timeout_s=WRITE_S) as api:
            rows = api.raw("GET", "/system/df", params={"type": "volume"}).json().get("Volumes") or ()
    except LlmstackError:
        return {}
    sizes = {row["Name"]: (row.get("UsageData") or {}).get("Size", -1) for row in rows}
    return {name: size for name, size in sizes.items() if size >= 0}


def _images(wire: Wire) -> Iterator[Leftover]:
    with wire.doing("list images") as api:
        rows = api.images(name=placeholder.IMAGE)
    for row in rows:
        what = "image of locks"
        yield Leftover(kind=LeftoverKind.IMAGE, name=placeholder.IMAGE, what=what, size_bytes=row.get("Size"))


def _leftover(kind: LeftoverKind, name: str, what: str, labels: Json, size_bytes: int | None = None) -> Leftover:
    return Leftover(kind=kind, name=name, what=what, stack=labels.get(STACK), size_bytes=size_bytes)


def sweep(wire: Wire, stack: str) -> None:
    """Remove what a killed run left beside instances. Only for who holds the lock: nobody else is at work then."""
    with wire.doing("list containers") as api:
        rows = api.containers(all=True, filters={"label": f"{STACK}={stack}"})
    for row in rows:
        if row["Labels"].get(ROLE) == PUT:
            placeholder.remove(wire, row["Id"])
    if not any(row["Labels"].get(ROLE) == SERVE for row in rows):
        network.remove(wire, stack)


def discard(wire: Wire, one: Leftover) -> None:
    """Remove what is not an instance."""
    with wire.doing(f"remove {one.kind} {one.name}", timeout_s=WRITE_S) as api:
        try:
            if one.kind is LeftoverKind.NETWORK:
                api.remove_network(one.name)
            elif one.kind is LeftoverKind.VOLUME:
                api.remove_volume(one.name)
            elif one.kind is LeftoverKind.IMAGE:
                api.remove_image(one.name)
            else:
                api.remove_container(one.name, v=True, force=True)
        except api.not_found:
            return
