"""The plugin API: everything that a file in `plugins/` needs, and nothing else.

Clients of model servers, and what reads model files, are loaded when a plugin names them: other commands stay fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from llmstack.clients.names import same_name
from llmstack.domain.doc import doc
from llmstack.domain.instance import InstanceSpec, Mount, Weights
from llmstack.domain.service import ModelSpec, ServiceSpec
from llmstack.errors import ConfigError, PreflightError
from llmstack.modeltype.base import Launch, LaunchRequest, ModelType, Peer
from llmstack.modeltype.families import Family
from llmstack.modeltype.options import NoOptions
from llmstack.modeltype.source import gguf_weights, split_source

if TYPE_CHECKING:
    from llmstack.clients.llamaserver import LlamaServer
    from llmstack.clients.ollama import Ollama
    from llmstack.clients.openai import OpenAI
    from llmstack.clients.web import Web
    from llmstack.domain.footprint import GIB, Footprint, gguf_footprint
    from llmstack.domain.gguf import check_gguf
    from llmstack.domain.weights import whole
    from llmstack.modeltype.failures import FailureRule

__all__ = [
    "GIB",
    "ConfigError",
    "FailureRule",
    "Family",
    "Footprint",
    "InstanceSpec",
    "Launch",
    "LaunchRequest",
    "LlamaServer",
    "ModelSpec",
    "ModelType",
    "Mount",
    "NoOptions",
    "Ollama",
    "OpenAI",
    "Peer",
    "PreflightError",
    "ServiceSpec",
    "Web",
    "Weights",
    "check_gguf",
    "doc",
    "gguf_footprint",
    "gguf_weights",
    "same_name",
    "split_source",
    "whole",
]

_PLACES = {
    "LlamaServer": "clients.llamaserver",
    "Ollama": "clients.ollama",
    "OpenAI": "clients.openai",
    "Web": "clients.web",
    **dict.fromkeys(("GIB", "Footprint", "gguf_footprint"), "domain.footprint"),
    "FailureRule": "modeltype.failures",
    "check_gguf": "domain.gguf",
    "whole": "domain.weights",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"llmstack.{_PLACES[name]}"), name)
