"""Which image a name means: now, here and at its registry; and how it comes, with the model file beside it."""

from __future__ import annotations

from llmstack.domain.instance import InstanceSpec, Need
from llmstack.engines.docker.body import image_of
from llmstack.engines.docker.seen import Seen
from llmstack.engines.docker.wire import Wire
from llmstack.errors import FetchError, LlmstackError
from llmstack.protocols import Report

NEWEST_S = 30.0
"""The engine asks the registry, which may be far away."""


class WithImages:
    """What Docker's engine knows of images, and brings before an instance can be made."""

    host: str
    _wire: Wire
    _seen: Seen

    def missing(self, spec: InstanceSpec) -> tuple[Need, ...]:
        """The image, and the weights unless a container that mounts their volume shows them whole."""
        from llmstack.engines.docker import weights

        needs = []
        image = image_of(spec)
        if not self._seen.once("image", image, lambda: bool(self.pins(image))):
            needs.append(Need(kind="image", name=image))
        return (*needs, *weights.missing(self._wire, spec))

    def fetch(self, need: Need, spec: InstanceSpec, report: Report) -> None:
        """Pull the image, or stream the model file into the weights volume."""
        from llmstack.engines.docker import pull, weights

        if need.kind == "weights" and spec.weights:
            weights.put(self._wire, spec.stack, spec.weights, report)
            return
        pull.pull(self._wire, need.name, report)
        if not self.pins(need.name):
            message = f"the engine of {self.host} broke off in the middle of {need.name}"
            raise FetchError(message, "see its own log, then run it again", kind="cut", again=True)

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
