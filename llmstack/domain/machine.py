"""What a machine has that an inventory may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from llmstack.domain.gpu import Gpu
from llmstack.domain.report import StatusRow
from llmstack.errors import LlmstackError

OLLAMA_PORT = 11434


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What was found; None is unknown. `docker` is the engine's name and version, or None with `docker_trouble` saying
    why it cannot be used; `serving` is what answers here already, `served` the models that each has by its URL; `demo`
    tells whether the demo's server and model are installed; `taken` are those of the usual ports that somebody
    holds."""

    docker: str | None = None
    docker_trouble: LlmstackError | None = None
    gpus: tuple[Gpu, ...] | None = None
    memory_bytes: int | None = None
    serving: tuple[StatusRow, ...] = ()
    served: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    demo: bool = False
    taken: frozenset[int] = frozenset()

    @property
    def ollama_url(self) -> str | None:
        """Where an Ollama of somebody else answers."""
        found = (row.url for row in self.serving if not row.ours and "ollama" in row.service)
        return next(filter(None, found), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the user was asked: the stack's name, docker or process, and an Ollama that is there already (its URL)."""

    stack: str
    engine: str
    ollama_url: str | None = None
