"""Containers that seem to serve models and are not ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from llmstack.domain.instance import Instance
from llmstack.engines.docker.rows import from_row
from llmstack.engines.labels import ROLE

SERVERS = (
    *("ollama", "llama.cpp", "llama-server", "llama-swap", "vllm", "sglang", "lmdeploy", "text-generation-inference"),
    *("text-embeddings-inference", "infinity", "localai", "local-ai", "litellm", "open-webui", "xinference", "tabbyml"),
    *("koboldcpp", "tritonserver", "speaches", "faster-whisper", "whisper.cpp", "aphrodite", "mlc-llm", "lemonade"),
)
PORTS = {11434: "ollama"}
"""Ports that only one program uses; 8000 and 8080 say nothing."""


def strangers(rows: Iterable[Mapping[str, Any]], host: str) -> tuple[Instance, ...]:
    """Running rows whose image, name or port gives them away; `service` is the word that did."""
    found = ((kind_of(row), row) for row in rows if ROLE not in (row.get("Labels") or {}))
    return tuple(replace(from_row(row, host), service=kind) for kind, row in found if kind)


def kind_of(row: Mapping[str, Any]) -> str | None:
    """The known server that a list row looks like."""
    image = str(row.get("Image", "")).lower().partition("@")[0]
    for text in (image, *(str(name).lower() for name in row.get("Names") or ())):
        for word in SERVERS:
            if re.search(rf"(^|[/_.-]){re.escape(word)}($|[:/_.-])", text):
                return word
    inner = {port.get("PrivatePort") for port in row.get("Ports") or ()}
    return next((kind for port, kind in PORTS.items() if port in inner), None)
