"""What runs in a container: commands, and processes of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from llmstack.engines.docker.wire import WRITE_S, Wire
from llmstack.errors import LlmstackError

PROC = Path("/proc")


class WithCommands:
    """What Docker's engine runs beside an instance's own program."""

    _wire: Wire

    def execute(self, name: str, command: Sequence[str]) -> None:
        """In its container, as its user."""
        with self._wire.doing(f"run {command[0]} in {name}", timeout_s=WRITE_S) as api:
            job = api.exec_create(name, list(command))["Id"]
            said = api.said(job).decode("utf-8", "replace").strip()
            code = api.exec_inspect(job)["ExitCode"]
        if code != 0:
            told = f"{command[0]} in {name} ended with {code}: {said}"
            raise LlmstackError(told, "see its log", ended=code, said=said)


def inside(container_id: str) -> tuple[int, ...]:
    """Processes of this machine that run in that container, by their cgroups: an engine's own pids are others where
    a container lies between, and Podman's always are. None are found where they are another kernel's."""
    found = []
    for folder in PROC.glob("[0-9]*"):
        with suppress(OSError):
            if container_id in (folder / "cgroup").read_text():
                found.append(int(folder.name))
    return tuple(sorted(found))
