"""From a spec to a running shim."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import llmstack
from llmstack.domain.instance import InstanceSpec
from llmstack.engines.process.log import LOG_BYTES
from llmstack.errors import LlmstackError, PreflightError

INSTANCE_ENV = "LLMSTACK_INSTANCE"
"""Set to the instance's id in its server; every descendant inherits it, so strays can be told."""

PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
SHIM_START_S = 30.0
RUN_SHIM = "import sys; sys.path.append(sys.argv[1]); from llmstack.engines.process.shim import main; main(sys.argv[2])"


def argv_of(spec: InstanceSpec) -> list[str]:
    """The program of `spec` as it can be run here. Raises PreflightError when it is not installed."""
    if not spec.program:
        raise PreflightError(
            f"{spec.target}: type '{spec.type}' has no program to run as a process", "set `engine: docker` for it"
        )
    if spec.program[0] == "python":
        if len(spec.program) > 2 and not _importable(spec.program[2]):
            raise PreflightError(
                f"{spec.target}: python module '{spec.program[2]}' is not installed", f"install it for {sys.executable}"
            )
        return [sys.executable, *spec.program[1:]]
    found = shutil.which(spec.program[0])
    if not found:
        raise PreflightError(
            f"{spec.target}: program '{spec.program[0]}' is not on PATH", "install it, or set `engine: docker`"
        )
    return [found, *spec.program[1:]]


def launch_of(spec: InstanceSpec, instance_id: str, secrets: Mapping[str, str]) -> dict[str, Any]:
    """What the shim needs to know. Raises PreflightError; LlmstackError when a secret of `spec` is not in `secrets`."""
    unknown = sorted(set(spec.secrets) - set(secrets))
    if unknown:
        raise LlmstackError(
            f"{spec.target}: the value of secret {', '.join(unknown)} is known only to the run that created it",
            "run up again: it creates the instance anew",
        )
    argv = argv_of(spec)
    words = {"port": spec.host_port, "listen": spec.bind, "weights": spec.weights and spec.weights.path}
    known = {word: str(value) for word, value in words.items() if value is not None}
    command, env = spec.settled(program=argv[0], **known)
    return {
        "argv": [*argv, *command],
        "env": {**_inherited(), **_visible(spec.limits.gpus), **env, **secrets, INSTANCE_ENV: instance_id},
        "restart": spec.restart,
        "log_bytes": LOG_BYTES,
    }


def run_shim(folder: Path, launch: Mapping[str, Any]) -> dict[str, Any]:
    """Start a shim; returns its answer: `pid`, or `running` when there is one already, or `error`.

    Raises LlmstackError when it cannot be run or says nothing.
    """
    root = str(Path(llmstack.__file__).parent.parent)
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", RUN_SHIM, root, str(folder)],
            input=json.dumps(launch).encode(),
            capture_output=True,
            env={},
            timeout=SHIM_START_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _no_shim(folder, f"no answer in {SHIM_START_S:.0f} s") from None
    except OSError as error:
        raise _no_shim(folder, f"{sys.executable}: {error.strerror}") from error
    try:
        return dict(json.loads(done.stdout))
    except ValueError as error:
        last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise _no_shim(folder, last or "it said nothing") from error


def _no_shim(folder: Path, why: str) -> LlmstackError:
    return LlmstackError(f"the keeper of {folder.name} did not start: {why}", f"try {sys.executable} -I -S -c pass")


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _visible(gpus: tuple[str, ...]) -> dict[str, str]:
    """What shows a CUDA program these GPUs alone; `all` and none leave it as it is here."""
    if not gpus or gpus == ("all",):
        return {}
    count = int(gpus[0]) if len(gpus) == 1 and gpus[0].isdigit() else 0
    return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, range(count)) if count else gpus)}


def _inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith("LC_")}
