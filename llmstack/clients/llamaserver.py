"""llama.cpp's server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmstack.clients.http import look
from llmstack.clients.openai import OpenAI
from llmstack.clients.speed import number, text
from llmstack.domain.server import Liveness, ServedModel
from llmstack.errors import ServerError


class LlamaServer(OpenAI):
    """One server, with one model or as a router of several.

    With one model the name in a request is not checked: any name is answered, by the model that is loaded. So what is
    served is known from `models` alone, never from an answer. Only /health needs no key.
    """

    def liveness(self) -> Liveness:
        """GET /health: 503 while the model loads. Never `/`: a web page that is there before the model is."""
        return look(lambda: self.http.get("/health"))

    def version(self) -> str | None:
        """`build_info` of GET /props, as in `b11669-Debian`; a build that says `b0-unknown` does not know it."""
        build = text(self.http.get("/props").json().get("build_info"))
        return build if build and build != "b0-unknown" else None

    def models(self) -> tuple[ServedModel, ...]:
        """GET /v1/models; the context in force is that of one slot, told by GET /props (a router has none)."""
        models = super().models()
        if len(models) != 1 or models[0].context or not models[0].loaded:
            return models
        settings = self.http.get("/props").json().get("default_generation_settings")
        context = number(settings.get("n_ctx")) if isinstance(settings, dict) else None
        return (replace(models[0], context=context or None),)

    def in_flight(self) -> int | None:
        """Slots that are busy, of GET /slots; None where that is switched off (501) or only a router answers."""
        try:
            slots = json.loads(self.http.get("/slots").body)
        except (ServerError, ValueError):
            return None
        if not isinstance(slots, list) or not all(isinstance(slot, dict) for slot in slots):
            return None
        return sum(slot.get("is_processing") is True for slot in slots)

    def served(self, item: Mapping[str, Any]) -> ServedModel:
        """`id` is the file's path, or its alias. A router tells each model's status, broken files included; without
        one the model is loaded, as the server answers no list before."""
        meta, status = item.get("meta"), item.get("status")
        figures = meta if isinstance(meta, dict) else {}
        return ServedModel(
            name=text(item.get("id")),
            size_bytes=number(figures.get("size")),
            context=number(figures.get("n_ctx")),
            loaded=status.get("value") == "loaded" if isinstance(status, dict) else True,
        )
