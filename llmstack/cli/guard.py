"""The one place where what went wrong becomes text and an exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from llmstack.cli.pipes import hang_up
from llmstack.errors import BUG, SIGINT, SIGPIPE, SIGTERM, LlmstackError

_TERMINATED = threading.Event()


@dataclass(frozen=True, slots=True)
class Door:
    """How errors are told: `spelled` is the word for our program, `kind` of the JSON document (None without one)."""

    spelled: str = "invoke"
    color: str = "auto"
    kind: str | None = None
    task: str = ""


def guarded(body: Callable[[], int], door: Door) -> int:
    """Run `body` and return its exit code, or that of its error once it is told. Never raises Exception."""
    with _sigterm_raises():
        return final(_guarded(body, door))


def final(code: int) -> int:
    """The exit code of a run: what SIGTERM stopped ends with its own."""
    return SIGTERM if _TERMINATED.is_set() and code == SIGINT else code


def _guarded(body: Callable[[], int], door: Door) -> int:
    try:
        return body()
    except LlmstackError as error:
        return tell(error, door)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return SIGINT
    except BrokenPipeError:
        hang_up()
        return SIGPIPE
    except Exception as error:  # noqa: BLE001 - the user gets one line and a file, never a traceback
        sys.stderr.write(f"{_bug_line(error)}\n")
        return BUG


def tell(error: LlmstackError, door: Door) -> int:
    """Show `error` on stderr, and as the task's document on stdout where one was asked for; returns its exit code."""
    from llmstack.ui.console import open_streams, put
    from llmstack.ui.formats import error_document, write_json
    from llmstack.ui.problems import error_lines

    streams = open_streams(door.color, door.spelled)
    put(streams.err, error_lines(error, streams))
    if door.kind:
        try:
            write_json(streams.out, error_document(door.kind, door.task, error))
            streams.out.file.flush()
        except BrokenPipeError:
            hang_up()
    return error.exit_code


def _bug_line(error: Exception) -> str:
    from llmstack.ui.clean import clean

    what = clean(f"{type(error).__name__}: {error}")
    try:
        path = _write_trace(error)
    except OSError as trouble:
        return f"error: unexpected {what} (and its details could not be written: {trouble})"
    return f"error: unexpected {what}\n       this is a mistake in llmstack; the details are in {path}"


def _write_trace(error: Exception) -> str:
    from platformdirs import user_state_path

    folder = user_state_path("llmstack")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(traceback.format_exception(error))
    return str(path)


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """While it lasts, SIGTERM is Ctrl-C by another name; `_TERMINATED` tells whether it came."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        _TERMINATED.set()
        raise KeyboardInterrupt

    _TERMINATED.clear()
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
