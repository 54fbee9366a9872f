"""The Python API for scripts: thin faces of the same core that the tasks use.

from llmstack import Stack

with Stack("inventory.yaml") as stack:
result = stack.up("demo")
print(result.exit_code, [outcome.status for outcome in result.outcomes])
"""

from __future__ import annotations

from llmstack.api.docker import DockerManager
from llmstack.api.models import ModelManager
from llmstack.api.ollama import OllamaClient
from llmstack.api.stack import Stack

__all__ = ["DockerManager", "ModelManager", "OllamaClient", "Stack"]
