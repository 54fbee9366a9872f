"""Open WebUI: the chat page beside the models."""

from __future__ import annotations

from typing import Any

from llmstack.modeltype import Family, Launch, LaunchRequest, ModelType, Web


class OpenWebui(ModelType):
    """A companion: told by environment where its model servers are, and kept to that on every start."""

    name = "open-webui"
    family = Family.COMPANION
    port = 8080
    image = "ghcr.io/open-webui/open-webui:v0.6.31"
    ready_timeout_s = 300.0
    stateful = True

    def launch(self, request: LaunchRequest) -> Launch:
        """The page, its data in a volume; every service in `depends_on` becomes a backend."""
        ollamas = [peer.url for peer in request.peers if peer.type == "ollama"]
        others = [f"{peer.url}/v1" for peer in request.peers if peer.type != "ollama" and peer.family != "companion"]
        return Launch(
            image=request.service.image or self.image,
            command=request.service.args,
            env={
                "ENABLE_PERSISTENT_CONFIG": "False",
                "ENABLE_OLLAMA_API": str(bool(ollamas)),
                "OLLAMA_BASE_URLS": ";".join(ollamas),
                "ENABLE_OPENAI_API": str(bool(others)),
                "OPENAI_API_BASE_URLS": ";".join(others),
            },
            mounts=(request.volume("/app/backend/data"),),
        )

    def client(self, base_url: str, api_key: str | None, options: Any) -> Web:
        """Only its health can be asked."""
        return Web(base_url, "/health")
