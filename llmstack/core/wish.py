"""PURE: what the user asked for, flat and plain, so that two wishes can be compared key by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from llmstack.domain.service import Placement
from llmstack.modeltype import Peer


def wish_of(placement: Placement, peers: Sequence[Peer]) -> dict[str, object]:
    """Key -> value of all that is set: `image`, `port`, `env.NAME`, `options.NAME`, `resources.memory_bytes`, ...

    Secrets are left out (they are compared sealed), and so is what changes no instance: tags, aliases, dependants.
    """
    service = placement.service
    wish: dict[str, object] = {
        "type": service.type,
        "image": service.image,
        "port": service.port,
        "bind": service.bind,
        "restart": service.restart,
        "args": list(service.args),
        "mounts": list(service.mounts),
        "source": placement.models[0].source if placement.own_model else None,
    }
    wish |= {f"env.{name}": value for name, value in service.env.items() if isinstance(value, str)}
    wish |= {f"options.{name}": value for name, value in service.options.items()}
    wish |= {f"resources.{name}": _plain(value) for name, value in asdict(service.resources).items()}
    wish |= {f"depends_on.{peer.name}": peer.url for peer in peers}
    return {key: value for key, value in wish.items() if value not in (None, [], ())}


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
