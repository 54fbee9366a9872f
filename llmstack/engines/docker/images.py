"""Which image a name means: now, here and at its registry."""

from __future__ import annotations

from llmstack.engines.docker.wire import Wire
from llmstack.errors import LlmstackError

NEWEST_S = 30.0
"""The engine asks the registry, which may be far away."""


class WithImages:
    """What Docker's engine knows of images."""

    _wire: Wire

    def pins(self, image: str) -> tuple[str, ...]:
        """As their registries call it, then its id."""
        with self._wire.doing(f"look for image {image}") as api:
            try:
                found = api.raw("GET", "/images/{0}/json", image).json()
            except api.not_found:
                return ()
        return (*sorted(found.get("RepoDigests") or ()), str(found["Id"]))

    def newest(self, image: str) -> str | None:
        """By one question to its registry, which Podman does not pass on."""
        try:
            with self._wire.doing(f"ask for the newest {image}", timeout_s=NEWEST_S) as api:
                digest = str(api.newest(image)["Descriptor"]["digest"])
        except (LlmstackError, KeyError, TypeError):
            return None
        return f"{repository(image)}@{digest}"

    def tag(self, pin: str, image: str) -> None:
        """As a pull of that name would."""
        name = repository(image)
        params = {"repo": name, "tag": image.removeprefix(name).lstrip(":") or "latest"}
        with self._wire.doing(f"call {pin} {image}") as api:
            api.raw("POST", "/images/{0}/tag", pin, params=params)


def repository(image: str) -> str:
    """An image's name without tag and digest."""
    name = image.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name
