"""Commands beside a process."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from llmstack.domain.instance import Instance
from llmstack.errors import LlmstackError

PATIENCE_S = 60.0


def execute(there: Instance, command: Sequence[str]) -> None:
    """Run it with the environment of an instance, but for its secrets. Raises LlmstackError."""
    env = {**os.environ, **(there.spec.env if there.spec else {})}
    try:
        ran = subprocess.run(
            list(command), env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise LlmstackError(f"{command[0]} for {there.container_name}: {error}", "see its log") from error
    if ran.returncode:
        said = ran.stderr.decode("utf-8", "replace").strip()
        told = f"{command[0]} for {there.container_name} ended with {ran.returncode}: {said}"
        raise LlmstackError(told, "see its log", ended=ran.returncode, said=said)
