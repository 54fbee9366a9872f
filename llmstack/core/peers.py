"""PURE: where a service finds the services that it depends on."""

from __future__ import annotations

from llmstack.domain.service import Inventory, Placement
from llmstack.errors import ConfigError
from llmstack.modeltype import Peer
from llmstack.modeltype.options import parse_options
from llmstack.modeltype.registry import Registry


def peers_of(inventory: Inventory, placement: Placement, registry: Registry) -> tuple[Peer, ...]:
    """One peer for each name in `depends_on`, on the same host where it is there."""
    return tuple(_peer(placement, _find(inventory, name, placement), registry) for name in placement.service.depends_on)


def _find(inventory: Inventory, name: str, dependant: Placement) -> Placement:
    there = [placement for placement in inventory.placements if placement.service.name == name]
    here = [placement for placement in there if placement.host == dependant.host]
    if not there:
        raise ConfigError(f"'{dependant.service.name}' depends on '{name}', which runs nowhere", "give it hosts")
    return (here or there)[0]


def _peer(dependant: Placement, peer: Placement, registry: Registry) -> Peer:
    kind = registry.get(peer.service.type)
    if kind is None:
        raise ConfigError(f"'{peer.service.name}' is of an unknown type", f"types: {', '.join(registry.names())}")
    options, _ = parse_options(kind.Options, peer.service.options)
    port = kind.container_port(peer.service, options) if options else kind.port
    return Peer(name=peer.service.name, type=kind.name, family=kind.family, url=_url(dependant, peer, port))


def _url(dependant: Placement, peer: Placement, type_port: int | None) -> str:
    service = peer.service
    if service.url:
        return service.url.rstrip("/")
    inside = dependant.engine == peer.engine == "docker" and peer.host == dependant.host
    if inside and type_port:
        return f"http://{service.name}:{type_port}"
    port = service.port if service.port is not None else type_port
    if port is None or port == "auto":
        return f"http://{service.name}"
    address = "127.0.0.1" if peer.host == dependant.host else str(peer.host.vars.get("ansible_host", peer.host.name))
    return f"http://{address}:{port}"
