"""Why servers die, as data: a pattern in the log or error, what it means, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FailureRule:
    """`pattern` is a case-insensitive regular expression; `meaning` and `do` are one sentence each."""

    pattern: str
    meaning: str
    do: str


COMMON: tuple[FailureRule, ...] = (
    FailureRule(
        r"address already in use|couldn't bind|bind\(\) failed|port is already allocated",
        "Another program holds the port.",
        "choose another `port:`, or `port: auto`",
    ),
    FailureRule(
        r"unknown model architecture|architectures? .* not supported",
        "This server is too old for the model.",
        "use a newer `image:` or server",
    ),
    FailureRule(
        r"invalid magic|failed to read magic|not in GGUF format|invalid file magic|not a GGUF",
        "The model file is not a GGUF file.",
        "fetch the model file again, or correct `source:`",
    ),
    FailureRule(
        r"exceeds file size|not within (the )?file bounds|corrupted or incomplete|(file|model) (is |was )?truncated|"
        r"failed to read (key-value pairs|tensor info)|unexpected end of file",
        "The model file is cut off.",
        "fetch the model file again",
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
    ),
    FailureRule(
        r"no space left on device|ENOSPC",
        "The disk is full.",
        "free space on the host's disk, then run up again",
    ),
    FailureRule(
        r"illegal instruction",
        "This build needs CPU features that the host lacks.",
        "use an image built for an older CPU",
    ),
    FailureRule(
        r"cudaMalloc failed|hipMalloc failed|CUDA out of memory|out of device memory|failed to allocate .*buffer",
        "The GPU has too little free memory.",
        "use a smaller context or quantisation, or free the GPU",
    ),
    FailureRule(
        r"could not select device driver|nvidia-container-cli|Found no NVIDIA driver",
        "The engine cannot give the container a GPU.",
        "install the NVIDIA container toolkit, or leave `gpus` out",
    ),
    FailureRule(
        r"(invalid|unknown|unrecognized) (argument|option)|error while handling argument|unrecognized arguments|"
        r"argument \S+: (invalid|expected)",
        "The server does not accept one of its arguments.",
        "correct `args:` or `options:`",
    ),
    FailureRule(r"permission denied", "The server may not use a file or port.", "check the rights of what is mounted"),
)

_ERROR_LINE = re.compile(
    r"^(?!.*level=(WARN|DEBUG)\b).*\b(error|fatal|failed|exception|panic|cannot|could not|unable|denied|killed)\b",
    re.IGNORECASE,
)


def first_error(lines: Sequence[str], rules: Iterable[FailureRule]) -> tuple[int, str, FailureRule | None] | None:
    """The line that explains a failure: its number from 1, its text and the rule that knows it.

    A line that a rule knows wins over the first that merely sounds like an error; later lines are consequences.
    """
    compiled = [(rule, re.compile(rule.pattern, re.IGNORECASE)) for rule in rules]
    for number, line in enumerate(lines, 1):
        for rule, pattern in compiled:
            if pattern.search(line):
                return number, line, rule
    sounding = next(((n, line) for n, line in enumerate(lines, 1) if _ERROR_LINE.search(line)), None)
    return (*sounding, None) if sounding else None
