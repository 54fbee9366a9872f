"""How the installed door begins and ends."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn


def heed() -> None:
    """Let Ctrl-C end the process at once (130), without a word, wherever no task has its own way with it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))


def start() -> NoReturn:
    """The installed command: as `main`, but without the interpreter's own tidying at the end, which takes longer than
    many a command. Everything of ours is closed by then."""
    heed()
    gc.set_threshold(300_000)  # what a command makes mostly lives until its end
    from llmstack.cli.program import main

    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code if isinstance(code, int) else 0)
