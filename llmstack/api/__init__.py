"""The Python API for scripts: thin faces of the same core that the tasks use.

They print nothing and end nothing, may be shared by threads, and their values show themselves as tables in a notebook.
One runnable program for each class lies in `examples/`.
"""

from __future__ import annotations

from llmstack.api.docker import DockerManager
from llmstack.api.models import ModelManager
from llmstack.api.ollama import OllamaClient
from llmstack.api.stack import Stack

__all__ = ["DockerManager", "ModelManager", "OllamaClient", "Stack"]
