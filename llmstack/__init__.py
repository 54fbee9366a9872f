"""llmstack: make machines serve the language models an inventory declares, and prove that each one answers.

`DockerManager`, `ModelManager`, `OllamaClient` and `Stack` are the Python API; they are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llmstack.api import DockerManager, ModelManager, OllamaClient, Stack

__version__ = "0.1.0"
__all__ = ["DockerManager", "ModelManager", "OllamaClient", "Stack", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(name)
    from llmstack import api

    return getattr(api, name)
