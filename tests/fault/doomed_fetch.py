"""A fetch that kills itself: `python doomed_fetch.py SOURCE MOMENT`. A moment is a number of bytes, a phase, or a step
on the disk with the end of a name: `open .tmp`, `rename .json`."""

from __future__ import annotations

import os
import signal
import sys

from llmstack.domain.progress import Progress
from llmstack.modeltype.folder import obtain
from llmstack.modeltype.source import gguf_weights

source, moment = sys.argv[1:]
STEPS = {"open": "open", "os.rename": "rename"}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def told(step: Progress) -> None:
    """Of bytes and phases."""
    if step.phase == moment or (moment.isdigit() and step.completed_bytes >= int(moment)):
        die()


def heard(event: str, args: tuple[object, ...]) -> None:
    """Of the disk."""
    if event in STEPS and moment.startswith(STEPS[event]):
        name = str(args[1] if event == "os.rename" else args[0])
        if name.endswith(moment.rpartition(" ")[2]) and not name.endswith(".py"):
            die()


sys.addaudithook(heard)
obtain(gguf_weights(source, "."), told)
print("fetched")
