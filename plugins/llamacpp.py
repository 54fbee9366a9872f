"""llama.cpp's server: one GGUF model per service, in a container or as a process."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from shutil import which
from typing import Any, ClassVar, Literal

from llmstack.modeltype import (
    GIB,
    ConfigError,
    Family,
    Footprint,
    InstanceSpec,
    Launch,
    LaunchRequest,
    LlamaServer,
    ModelSpec,
    ModelType,
    PreflightError,
    check_gguf,
    doc,
    gguf_footprint,
    gguf_weights,
    whole,
)

WHEEL = ("python", "-m", "llmstack.embedded.llama_server")
NATIVE = ("llama-server",)
PROMPTS, PROMPTS_BYTES = "LLAMA_ARG_CACHE_RAM", GIB
"""llama-server keeps 8 GiB of old prompts by itself: the usual reason for which a limit kills it."""
UNMAPPED = {"--no-mmap", "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamacppOptions:
    """Options of a llama.cpp server."""

    ctx_size: int = doc("Context in tokens.", 8192, default=4096)
    threads: int | None = doc("CPU threads; the server's own choice if left out.", 4)
    gpu_layers: int | None = doc("Layers to put on the GPU.", 99)
    server: Literal["auto", "xllamacpp", "llama-server"] = doc(
        "Which program runs it on the process engine.", "llama-server", default="auto"
    )


class Llamacpp(ModelType):
    """llama-server: answers 503 while it loads, then serves one model."""

    name = "llamacpp"
    family = Family.LOADING
    port = 8080
    image = "ghcr.io/ggml-org/llama.cpp:server"
    engines = frozenset({"docker", "process"})
    needs_source = True
    api_key_env = "LLAMA_API_KEY"
    Options: ClassVar[type] = LlamacppOptions

    def launch(self, request: LaunchRequest) -> Launch:
        """`llama-server -m FILE --host H --port P ...`; the same arguments for every program."""
        model = request.models[0]
        if not model.source:
            raise ConfigError(
                f"model '{model.name}' has no source", "write source: hf:ORG/REPO:QUANT, https:, file: or pkg:"
            )
        return Launch(
            image=request.service.image or (f"{self.image}-cuda" if request.service.resources.gpus else self.image),
            program=_program(request.options.server) if request.engine == "process" else (),
            command=(*_arguments(model.name, request), *request.service.args),
            env={PROMPTS: str(PROMPTS_BYTES >> 20)} if request.service.resources.memory_bytes == "auto" else {},
            weights=gguf_weights(model.source, request.base_dir),
        )

    def preflight(self, spec: InstanceSpec) -> None:
        """The file must be a whole GGUF; one that is still to come, or again, is looked at when it is there."""
        if spec.weights and (not spec.weights.remote or whole(spec.weights)):
            check_gguf(spec.weights.path)

    def footprint(self, spec: InstanceSpec, options: LlamacppOptions) -> Footprint | None:
        """By the header of the file; old prompts are kept in the server's own memory, as far as `launch` lets it."""
        mapped = not UNMAPPED & {*spec.command}
        return gguf_footprint(spec.weights, options.ctx_size, prompts_bytes=PROMPTS_BYTES, mapped=mapped)

    def client(self, base_url: str, api_key: str | None, options: Any) -> LlamaServer:
        """Speaks llama-server's API."""
        return LlamaServer(base_url, api_key)

    def served_name(self, model: ModelSpec) -> str:
        """The alias that `launch` gives it."""
        return model.name


def _arguments(alias: str, request: LaunchRequest) -> tuple[str, ...]:
    options, limited = request.options, request.service.resources.cpus is not None
    arguments = ["-m", "{weights}", "--host", "{listen}", "--port", "{port}", "--alias", alias]
    arguments += ["--ctx-size", str(options.ctx_size)]
    if options.threads is not None or limited:
        arguments += ["--threads", str(options.threads or "{threads}")]
    if options.gpu_layers is not None:
        arguments += ["--n-gpu-layers", str(options.gpu_layers)]
    return tuple(arguments)


def _program(server: str) -> tuple[str, ...]:
    """The wheel's server where it is installed, else a llama-server on PATH."""
    if server == "llama-server" or (server == "auto" and find_spec("xllamacpp") is None and which("llama-server")):
        return NATIVE
    if find_spec("xllamacpp") is None:
        raise PreflightError("neither llama-server nor xllamacpp is installed", "python -m pip install xllamacpp")
    return WHEEL
