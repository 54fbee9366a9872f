"""A user's desk: a folder with an inventory and both front doors, a home and a store of its own, real subprocesses."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil

from llmstack.engines.process.engine import ProcessEngine
from llmstack.errors import LlmstackError
from tests import room

ROOT = Path(__file__).parent.parent
SERVERS = ROOT / "tests" / "servers"
DOORS = ("invoke", "llmstack")
DEADLINE_S = 100.0
OLLAMA = f"""#!/bin/sh
exec {sys.executable} {SERVERS}/ollama_replay.py
"""
"""An `ollama` that answers as the recorded one did."""
T = TypeVar("T")


def until(look: Callable[[], T], deadline_s: float = DEADLINE_S) -> T:
    """Wait until `look` returns something true; an OSError counts as not yet."""
    end = time.monotonic() + deadline_s
    while True:
        with contextlib.suppress(OSError):
            if found := look():
                return found
        assert time.monotonic() < end, f"never came true; last: {look()}"
        time.sleep(0.02)


def listens(port: int, address: str = "127.0.0.1") -> bool:
    """Whether somebody accepts connections there."""
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=5):
        return True
    return False


def free_port() -> int:
    """A port that nobody holds now; another one each time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def get(url: str) -> str:
    """What answers to a GET. Raises OSError."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return str(answer.read().decode())


def post(url: str, body: dict[str, Any]) -> str:
    """What answers to a POST of JSON. Raises OSError."""
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


@dataclass(frozen=True)
class Ran:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one document on stdout."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document

    def item(self, name: str) -> dict[str, Any]:
        """The document's item of that model or service."""
        return next(item for item in self.json["items"] if name in (item.get("name"), item.get("model")))

    def rungs(self, name: str) -> dict[str, dict[str, Any]]:
        """The ladder of an item by its rungs."""
        return {rung["rung"]: rung for rung in self.item(name)["rungs"]}

    @property
    def recap(self) -> str:
        """The line of figures, without its time."""
        return next(" ".join(line.split()[:8]) for line in self.err.splitlines() if " : ok=" in line)


class Desk:
    """Run whole commands here. Keep `close` for the end: it stops what the process engine still runs."""

    def __init__(self, folder: Path, inventory: str | None = None, **env: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        for name in ("tasks.py", "invoke.yaml"):
            shutil.copy(ROOT / name, folder)
        self.env = {**os.environ, **room.private(folder / "room"), **env}
        self.program("ollama", OLLAMA)
        self.env |= {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
        if inventory is not None:
            self.write(inventory)

    def write(self, inventory: str, name: str = "inventory.yaml") -> Path:
        """Put an inventory here; `PORT` in it is a port of this desk alone."""
        path = self.folder / name
        path.write_text(inventory.replace("PORT", str(self.port)), encoding="utf-8")
        return path

    def program(self, name: str, text: str) -> Path:
        """Put a program on the PATH of this desk."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return path

    def start(self, *words: str, door: str = "llmstack", **more: Any) -> subprocess.Popen[str]:
        """Begin a command that may be sent signals, in a process group of its own."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        more = {**pipes, "env": room.unmeasured(self.env), **more}
        return subprocess.Popen(
            [str(Path(sys.executable).parent / door), *words],
            cwd=self.folder,
            text=True,
            encoding="utf-8",
            start_new_session=True,
            **more,
        )

    def run(self, *words: str, door: str = "llmstack", stdin: str | None = None, **more: Any) -> Ran:
        """Run a command to its end."""
        given = {"stdin": subprocess.PIPE} if stdin is not None else {}
        process = self.start(*words, door=door, env=self.env, **given, **more)
        try:
            out, err = process.communicate(stdin, timeout=DEADLINE_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        return Ran(process.returncode, out or "", err or "")

    def good(self, *words: str, **more: Any) -> Ran:
        """Run a command that must succeed."""
        ran = self.run(*words, **more)
        assert ran.code == 0, ran.err + ran.out
        return ran

    @property
    def engine(self) -> ProcessEngine:
        """The process engine that the commands use."""
        return ProcessEngine("localhost", self.processes_root)

    @property
    def processes_root(self) -> Path:
        """Where it keeps its instances."""
        return Path(self.env["LLMSTACK_PROCESS_ROOT"])

    def servers(self) -> list[psutil.Process]:
        """Every process that the process engine started for this desk: shims, servers and their children."""
        return [process for process in psutil.process_iter() if self._works_for_us(process)]

    def _works_for_us(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            return process.status() != psutil.STATUS_ZOMBIE and str(self.processes_root) in process.cwd()
        return False

    def close(self) -> None:
        """Stop and remove whatever is left."""
        for instance in self.engine.observe(None):
            with contextlib.suppress(LlmstackError):
                self.engine.stop(instance.container_name, 0)
                self.engine.remove(instance.container_name)
