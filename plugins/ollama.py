"""Ollama: one server, many models, each pulled and loaded by its API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from llmstack.modeltype import (
    ConfigError,
    Family,
    Launch,
    LaunchRequest,
    ModelSpec,
    ModelType,
    Ollama,
    doc,
    same_name,
    split_source,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OllamaOptions:
    """Options of an Ollama server."""

    keep_alive: str | None = doc("How long an idle model stays loaded.", "30m")
    num_parallel: int | None = doc("Requests served at once per model.", 2)
    context_length: int | None = doc("Context in tokens.", 8192)


NO_BROKEN_PARTS = """cd "${OLLAMA_MODELS:-${HOME:-/root}/.ollama/models}/blobs" || exit
for part in *-partial-*; do [ -s "$part" ] || rm -f "${part%-partial-*}"-partial*; done"""
"""A download of which one part was left empty can never go on: all of it goes. Others, also running ones, stay."""


class OllamaType(ModelType):
    """The server is up at once; each model becomes ready by itself."""

    name = "ollama"
    family = Family.LAZY
    port = 11434
    image = "ollama/ollama:0.12.6"
    engines = frozenset({"docker", "process"})
    holds_many = True
    Options: ClassVar[type] = OllamaOptions
    cures: ClassVar[Mapping[str, tuple[str, ...]]] = {"poisoned": ("sh", "-c", NO_BROKEN_PARTS)}

    def launch(self, request: LaunchRequest) -> Launch:
        """`ollama serve`, with its models in a volume of the stack that outlives the container."""
        for model in request.models:
            if split_source(model.source or "")[0] not in (None, "ollama", "hf"):
                raise ConfigError(
                    f"Ollama cannot pull '{model.source}'", "write source: NAME:TAG of its registry, or hf:ORG/REPO"
                )
        options = request.options
        wanted = {
            "OLLAMA_HOST": "{listen}:{port}",
            "OLLAMA_KEEP_ALIVE": options.keep_alive,
            "OLLAMA_NUM_PARALLEL": options.num_parallel,
            "OLLAMA_CONTEXT_LENGTH": options.context_length,
        }
        return Launch(
            image=request.service.image or self.image,
            program=("ollama", "serve"),
            command=request.service.args,
            env={name: str(value) for name, value in wanted.items() if value is not None},
            mounts=(request.volume("/root/.ollama"),) if request.engine == "docker" else (),
        )

    def client(self, base_url: str, api_key: str | None, options: Any) -> Ollama:
        """Speaks Ollama's native API."""
        return Ollama(base_url, api_key)

    def served_name(self, model: ModelSpec) -> str:
        """The name in Ollama's registry; `hf:org/repo` is Ollama's `hf.co/org/repo`."""
        scheme, rest = split_source(model.source or model.name)
        return f"hf.co/{rest}" if scheme == "hf" else rest

    def same_model(self, name: str, other: str) -> bool:
        """`llama3` is `llama3:latest`; case does not count."""
        return same_name(name, other)
