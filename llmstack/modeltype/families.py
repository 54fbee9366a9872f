"""Three ways in which servers become ready, and companions, which serve no model."""

from __future__ import annotations

from enum import StrEnum

from llmstack.domain.ladder import Rung


class Family(StrEnum):
    """`lazy`: the server is up at once, each model becomes ready by itself (Ollama).

    `loading`: it answers while it loads, and says so by a status code (llama-server).
    `silent`: nothing listens until the model is loaded (vLLM). `companion`: no model (a web UI).
    """

    LAZY = "lazy"
    LOADING = "loading"
    SILENT = "silent"
    COMPANION = "companion"

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """The rungs of its ladder, in order."""
        return _START if self is Family.COMPANION else _START + _MODEL


_START = (Rung.CREATED, Rung.RUNNING, Rung.PORT, Rung.API)
_MODEL = (Rung.WEIGHTS, Rung.LOADED, Rung.ANSWERED, Rung.DEVICE, Rung.CHECKED)
