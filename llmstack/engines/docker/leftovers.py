"""Everything of ours on an engine, told by labels, and how each is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from llmstack.domain import names
from llmstack.domain.leftover import Leftover, LeftoverKind
from llmstack.engines.docker import network, placeholder
from llmstack.engines.docker.body import VOLUME, WEIGHTS_VOLUME
from llmstack.engines.docker.rows import container_name
from llmstack.engines.docker.wire import WRITE_S, Wire
from llmstack.engines.labels import LOCK, PUT, ROLE, SERVE, SERVICE, STACK
from llmstack.errors import LlmstackError


def found(wire: Wire, stack: str | None) -> Iterator[Leftover]:
    """Containers, networks, volumes and the empty image, as far as they belong to `stack`."""
    everything = (*_containers(wire), *_networks(wire), *_volumes(wire), *_images(wire))
    yield from (each for each in everything if stack in (None, each.stack))


def _containers(wire: Wire) -> Iterator[Leftover]:
    with wire.doing("list containers") as api:
        rows = api.containers(all=True, filters={"label": ROLE})
    for row in rows:
        labels = row["Labels"]
        other = names.LOCK if labels[ROLE] == LOCK else "a copy of weights that was cut"
        what = f"instance of {labels[SERVICE]}" if SERVICE in labels else other
        yield Leftover(LeftoverKind.CONTAINER, container_name(row), what, labels.get(STACK))


def _networks(wire: Wire) -> Iterator[Leftover]:
    with wire.doing("list networks") as api:
        rows = api.networks(filters={"label": STACK})
    for row in rows:
        yield Leftover(LeftoverKind.NETWORK, row["Name"], "network of the stack", row["Labels"][STACK])


def _volumes(wire: Wire) -> Iterator[Leftover]:
    with wire.doing("list volumes") as api:
        rows = api.volumes(filters={"label": VOLUME})["Volumes"] or ()
    sizes = _sizes(wire) if rows else {}
    for row in rows:
        weights = row["Name"] == WEIGHTS_VOLUME
        what = "weights of all stacks" if weights else f"data of {row['Labels'][VOLUME]}"
        yield Leftover(LeftoverKind.VOLUME, row["Name"], what, row["Labels"].get(STACK), sizes.get(row["Name"]))


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
        yield Leftover(LeftoverKind.IMAGE, placeholder.IMAGE, "image of locks", None, row.get("Size"))


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
    with wire.doing(f"remove {one.kind} {one.name}", timeout_s=WRITE_S) as api, suppress(api.not_found):
        others: dict[LeftoverKind, Callable[[str], object]] = {
            LeftoverKind.NETWORK: api.remove_network,
            LeftoverKind.VOLUME: api.remove_volume,
            LeftoverKind.IMAGE: api.remove_image,
        }
        others.get(one.kind, partial(api.remove_container, v=True, force=True))(one.name)
