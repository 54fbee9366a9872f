"""A llmstack command that kills itself: `python doomed.py NTH WORD...` runs `llmstack WORD...` and dies at the NTH step
(from 1) that changes something on the process engine, just before it is taken. With NTH 0 it lives and tells its steps.

A step is a system call that writes below the engine's root, a signal, the start of a program, or what follows that at
once: so the points before and after every writing call of the engine are among them, and those within.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import PurePath

ROOT = os.environ.get("LLMSTACK_PROCESS_ROOT", "")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
PATHS = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate")
STARTED = "started"


class Doom:
    """Counts steps, and strikes."""

    def __init__(self, nth: int) -> None:
        self.nth, self.steps = nth, list[str]()

    def step(self, what: str) -> None:
        """One more."""
        self.steps.append(what)
        if len(self.steps) == self.nth:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(self, event: str, args: tuple[object, ...]) -> None:
        """An audit event of the interpreter."""
        if event in ("os.kill", "subprocess.Popen"):
            self.step(event)
        elif event == "open":
            if str(args[0]).startswith(ROOT) and isinstance(args[2], int) and args[2] & WRITES:
                self.step(f"open {_name(args[0])}")
        elif event in PATHS and (str(args[0]).startswith(ROOT) or _by_descriptor(*args)):
            self.step(f"{event} {_name(args[1] if event == 'os.rename' else args[0])}")


def _by_descriptor(path: object, *more: object) -> bool:
    """A file that is open, or in a folder that is, as where a whole folder is removed."""
    return isinstance(path, int) or (bool(more) and isinstance(more[-1], int) and more[-1] > 0)


def _name(path: object) -> str:
    """Without what is another one each time."""
    return re.sub(r"(?<=\.new-|gone-).*|(?<=\.)\d+\.tmp", "*", PurePath(str(path)).name)


class Popen(subprocess.Popen):  # type: ignore[type-arg]
    """That a program was started is a step of its own."""

    def __init__(self, *args: object, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[call-overload]
        doom.step(STARTED)


if __name__ == "__main__":
    from llmstack.cli.program import main

    doom = Doom(int(sys.argv[1]))
    subprocess.Popen = Popen  # type: ignore[misc]
    sys.addaudithook(doom.heard)
    try:
        main(["llmstack", *sys.argv[2:]])
    finally:
        print(*doom.steps, sep="\n", file=sys.stderr)
