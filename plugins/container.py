"""Any container: a companion that llmstack knows nothing about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from llmstack.modeltype import ConfigError, Family, Launch, LaunchRequest, ModelType, ServiceSpec, Web, doc


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOptions:
    """Options of a plain container."""

    container_port: int | None = doc("Port it listens on inside; `port` if left out.", 80)
    health_path: str = doc("Path that answers when it is ready.", "/health", default="/")


class Container(ModelType):
    """An image of the user's own."""

    name = "container"
    family = Family.COMPANION
    Options: ClassVar[type] = ContainerOptions

    def launch(self, request: LaunchRequest) -> Launch:
        """The image with its arguments, as they are."""
        if not request.service.image:
            raise ConfigError(f"service '{request.service.name}' has no image", "write image: NAME:TAG")
        if request.service.port == "auto" and request.options.container_port is None:
            raise ConfigError(
                f"service '{request.service.name}' has port: auto, but not the port inside its container",
                "write options.container_port: NUMBER",
            )
        return Launch(image=request.service.image, command=request.service.args)

    def client(self, base_url: str, api_key: str | None, options: Any) -> Web:
        """Looks at one path."""
        return Web(base_url, options.health_path)

    def container_port(self, service: ServiceSpec, options: ContainerOptions) -> int | None:
        """As told; else the published port is the one inside too."""
        if options.container_port is not None:
            return options.container_port
        return service.port if isinstance(service.port, int) else None
