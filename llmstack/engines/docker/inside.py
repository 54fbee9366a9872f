"""Commands in a container."""

from __future__ import annotations

from collections.abc import Sequence

from llmstack.engines.docker.wire import WRITE_S, Wire
from llmstack.errors import LlmstackError


class WithCommands:
    """What Docker's engine runs beside an instance's own program."""

    _wire: Wire

    def execute(self, name: str, command: Sequence[str]) -> None:
        """In its container, as its user."""
        with self._wire.doing(f"run {command[0]} in {name}", timeout_s=WRITE_S) as api:
            job = api.exec_create(name, list(command))["Id"]
            said = api.exec_start(job).decode("utf-8", "replace").strip()
            code = api.exec_inspect(job)["ExitCode"]
        if code != 0:
            told = f"{command[0]} in {name} ended with {code}: {said}"
            raise LlmstackError(told, "see its log", ended=code, said=said)
