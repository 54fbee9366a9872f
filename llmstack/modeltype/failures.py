"""Why servers die, as data: a pattern in the log or error, what it means, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailureRule:
    """`pattern` is a case-insensitive regular expression; `meaning` and `do` are one sentence each, `key` the key of
    the service or model that the change is made at in the inventory, if it is made there. What a `passing` rule
    knows may be harmless, or a request's trouble: it explains a server's end only where nothing else does."""

    pattern: str
    meaning: str
    do: str
    key: str | None = None
    passing: bool = False


COMMON: tuple[FailureRule, ...] = (
    FailureRule(
        r"address already in use|couldn't bind|bind\(\) failed|port is already allocated",
        "Another program holds the port.",
        "choose another `port:`, or `port: auto`",
        "port",
    ),
    # -- the model's file --------------------------------------------------------------------------------------------
    FailureRule(
        r"unknown (model|pre-tokenizer) (architecture|type)|architectures? .* not supported|\bmllama\b|"
        r"requires a newer version|manifest: 412:",
        "This server is too old for the model.",
        "use a newer `image:` or server",
        "image",
    ),
    FailureRule(
        r"invalid magic|failed to read magic|not in GGUF format|invalid file magic|not a GGUF",
        "The model file is not a GGUF file.",
        "fetch the model file again, or correct `source:`",
        "source",
    ),
    FailureRule(
        r"exceeds file size|not within (the )?file bounds|corrupted or incomplete|(file|model) (is |was )?truncated|"
        r"failed to read (key-value pairs|tensor info)|unexpected end of file",
        "The model file is cut off.",
        "fetch the model file again",
        "source",
    ),
    FailureRule(
        r"gated repo|GatedRepo|access to model .* is restricted",
        "The model is gated: its owner gives access to those who asked for it.",
        "accept its licence on the hub's page, and give the service a token with that right: env.HF_TOKEN",
        "env.HF_TOKEN",
    ),
    FailureRule(
        r"Repository ?Not ?Found|RepoNotFound",
        "The hub knows no such model, or hides a private one.",
        "correct `source:`, or give the service a token that may read it: env.HF_TOKEN",
        "source",
    ),
    FailureRule(
        r"pull model manifest: file does not exist",
        "The registry knows no model of that name and tag.",
        "correct `source:`",
        "source",
    ),
    # -- what the machine lacks --------------------------------------------------------------------------------------
    FailureRule(
        r"Found no NVIDIA driver|libcuda\.so\S* *: cannot open|nvidia-smi.*not found|no CUDA-capable device|"
        r"No CUDA GPUs are available",
        "The server sees no GPU.",
        "ask for one in its `resources:` (gpus: all), and look at `llmstack doctor`",
        "resources.gpus",
    ),
    FailureRule(
        r"cannot open shared object file",
        "A library of the system that the server needs is not installed.",
        "install the package that holds it (libgomp.so.1: apt-get install libgomp1)",
    ),
    FailureRule(
        r"no such file or directory|failed to open GGUF|cannot find",
        "A file that the server needs is not there.",
        "correct the path in `source:`, `args:` or `mounts:`",
        "source",
        passing=True,
    ),
    FailureRule(
        r"\bBus error\b|shared memory segment|/dev/shm\b.*(no space|too small|failed)|</torch_\w+>|"
        r"no space left on device.*/dev/shm\b",
        "The shared memory of the container is too small.",
        "raise `shm:` in its `resources:`, for example to 1GiB",
        "resources.shm",
    ),
    FailureRule(
        r"no space left on device|ENOSPC",
        "The disk is full.",
        "free space on the host's disk (`llmstack du` shows what is ours), then run up again",
    ),
    FailureRule(
        r"illegal instruction",
        "This build needs CPU features that the host lacks.",
        "use an image built for an older CPU",
        "image",
    ),
    FailureRule(
        r"x509|certificate verify failed|no such host|i/o timeout|max retries exceeded|name resolution|"
        r"could not establish connection",
        "It cannot reach a machine on the network: DNS, proxy or certificates.",
        "look at the network of its host, or fetch the model first: llmstack pull",
        passing=True,
    ),
    # -- GPU ---------------------------------------------------------------------------------------------------------
    FailureRule(
        r"unsatisfied condition: cuda",
        "The image needs a newer NVIDIA driver than the host has.",
        "update the driver, or use an older tag in `image:`",
        "image",
    ),
    FailureRule(
        r"Error 804|forward compatibility",
        "The image's CUDA and the host's driver do not fit on this card.",
        "update the driver, or use an older tag in `image:`",
        "image",
    ),
    FailureRule(
        r"no kernel image is available|compute cap(ability)? .*(not supported|too low|not compatible|at least)",
        "This build was not made for this GPU.",
        "use an `image:` built for this generation of GPUs",
        "image",
    ),
    FailureRule(
        r"could not select device driver|nvidia-container-cli",
        "The engine cannot give the container a GPU.",
        "install the NVIDIA container toolkit, or leave `gpus` out",
        "resources.gpus",
    ),
    FailureRule(
        r"No available memory for the cache blocks|larger than the (maximum number of tokens that|available KV cache)",
        "The GPU memory that is left beside the weights is too little for this context.",
        "use a smaller context, or give it a larger part of the GPU",
        "options.max_model_len",
    ),
    FailureRule(
        r"less than desired GPU memory utilization",
        "Other programs hold the GPU memory that it wants for itself.",
        "free the GPU (`llmstack down` what is not needed), or let it take a smaller part",
        "options.gpu_memory_utilization",
    ),
    FailureRule(
        r"requires more system memory|std::bad_alloc|cannot allocate memory|"
        r"ggml_aligned_malloc|_cpu_buffer\w*: failed to allocate|allocate CPU\S* buffer",
        "It needs more memory than the host has left, or than it may use.",
        "raise `memory:` in its `resources:`, or use a smaller context or model",
        "resources.memory",
    ),
    FailureRule(
        r"(cuda|hip)Malloc failed|(CUDA|HIP) out of memory|CUDA error: out of memory|out[ _]?of[ _]?device[ _]?memory|"
        r"(failed to|unable to) allocate .*buffer|insufficient memory",
        "The GPU has too little free memory.",
        "use a smaller context or quantisation, or free the GPU",
        "options.ctx_size",
    ),
    # -- arguments and rights ----------------------------------------------------------------------------------------
    FailureRule(
        r"(invalid|unknown|unrecognized) (argument|option)|error while handling argument|unrecognized arguments|"
        r"argument \S+: (invalid|expected)",
        "The server does not accept one of its arguments.",
        "correct `args:` or `options:`",
        "args",
    ),
    FailureRule(
        r"permission denied.*cache|cache.*permission denied|not a writable directory",
        "The server's user may not write to its cache.",
        "give the mounted folder to the user of the image: chown -R UID FOLDER (speaches 1000, vLLM 2000)",
        "mounts",
    ),
    FailureRule(
        r"permission denied", "The server may not use a file or port.", "check the rights of what is mounted", "mounts"
    ),
    # -- trouble of a request ----------------------------------------------------------------------------------------
    FailureRule(
        r"exceeds? (the )?(available )?context|exceed_context_size|maximum context length is|must have less than",
        "A prompt was longer than the context.",
        "shorten the prompt, or raise the context",
        passing=True,
    ),
    FailureRule(
        r"overloaded|server busy|maximum pending requests",
        "It was asked more than it can answer at once; that passes.",
        "ask again a little later, or let it answer more at once",
        passing=True,
    ),
)
"""Ordered: of two that know a line the first explains it."""

_HARMLESS = re.compile(r"level=(WARN|DEBUG)\b|(?<!NCCL )\bWARN(ING)?\b|UserWarning:")
_ERROR_LINE = re.compile(
    r"\b(error|fatal|failed|exception|panic|cannot|could not|unable|denied|killed)\b", re.IGNORECASE
)


def first_error(lines: Sequence[str], rules: Iterable[FailureRule]) -> tuple[int, str, FailureRule | None] | None:
    """The line that explains a failure: its number from 1, its text and the rule that knows it.

    A line that a rule knows wins over the first that merely sounds like an error, and a server's trouble over a
    request's; later lines are consequences.
    """
    compiled = [(rule, re.compile(rule.pattern, re.IGNORECASE)) for rule in rules]
    serious = [(number, line) for number, line in enumerate(lines, 1) if not _HARMLESS.search(line)]
    passing = None
    for number, line in serious:
        rule = next((rule for rule, pattern in compiled if pattern.search(line)), None)
        if rule and not rule.passing:
            return number, line, rule
        passing = passing or ((number, line, rule) if rule else None)
    return passing or next(((number, line, None) for number, line in serious if _ERROR_LINE.search(line)), None)
