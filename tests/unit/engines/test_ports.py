"""Who holds a port."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from llmstack.engines.ports import holder
from llmstack.engines.process.files import LABELS

LISTEN = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


def held_by(folder: Path) -> str:
    """What is said of a process that works in `folder` and listens, without its pid."""
    with subprocess.Popen(
        [sys.executable, "-c", LISTEN], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        told = holder("127.0.0.1", int(process.stdout.readline()))
        process.communicate()
    return told.replace(str(process.pid), "PID")


def test_a_server_of_another_stack_is_called_by_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "llmstack-lab-demo"
    folder.mkdir()
    assert held_by(folder).startswith("python")
    (folder / LABELS).touch()
    assert held_by(folder) == "llmstack-lab-demo (pid PID)"


def test_nobody_is_unknown() -> None:
    assert holder("127.0.0.1", 1) == "an unknown process"
