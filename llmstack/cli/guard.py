"""The one place where what went wrong becomes an exit code."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from llmstack.cli.streams import hang_up, make_fit, unread
from llmstack.domain.stop import STOP
from llmstack.errors import SIGINT, SIGPIPE, SIGTERM, AbandonedRunError, BugError, InterruptedRunError, LlmstackError

SAME_S = 0.1
"""timeout(1) sends its signal twice at once, and who forwards the terminal's does so too: that is one."""

_TERMINATED = threading.Event()
_RAISE = threading.Lock()
"""Held while signals raise: the outermost of guards that stand in each other sees to them."""


def guarded(body: Callable[[], int], tell: Callable[[LlmstackError], object]) -> int:
    """Run `body` and return its exit code, or that of its error, which is handed to `tell`. Never raises Exception."""
    make_fit()
    with _signals_raise():
        return final(_guarded(body, tell))


def final(code: int) -> int:
    """The exit code of a run: what SIGTERM stopped ends with its own."""
    return SIGTERM if _TERMINATED.is_set() and code == SIGINT else code


def _guarded(body: Callable[[], int], tell: Callable[[LlmstackError], object]) -> int:
    try:
        return body()
    except LlmstackError as error:
        told = error
    except KeyboardInterrupt:
        told = InterruptedRunError("interrupted", "run it again to go on")
    except BrokenPipeError:
        hang_up()
        return SIGPIPE
    except Exception as error:  # noqa: BLE001 - the user gets one line and a file, never a traceback
        told = _bug(error)
    with unread():
        tell(told)
    if isinstance(told, AbandonedRunError):
        os._exit(final(told.exit_code))  # its threads would go on, and be waited for
    return told.exit_code


def _bug(error: Exception) -> BugError:
    what = f"unexpected {type(error).__name__}: {error}"
    try:
        return BugError(what, f"this is a mistake in llmstack; the details are in {_write_trace(error)}")
    except OSError as trouble:
        return BugError(what, f"this is a mistake in llmstack; its details could not be written: {trouble}")


def _write_trace(error: Exception) -> str:
    import traceback

    from platformdirs import user_state_path

    folder = user_state_path("llmstack")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"bug-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines(traceback.format_exception(error))
    return str(path)


@contextmanager
def _signals_raise() -> Iterator[None]:
    """While it lasts, SIGTERM is Ctrl-C by another name; `_TERMINATED` tells whether it came."""
    last = -math.inf

    def interrupt(number: int, _frame: FrameType | None) -> None:
        nonlocal last
        STOP.set()
        if number == signal.SIGTERM:
            _TERMINATED.set()
        if (now := time.monotonic()) - last > SAME_S:
            last = now
            raise KeyboardInterrupt

    if _RAISE.locked() or threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heeded}
    try:
        with _RAISE:
            _TERMINATED.clear()
            yield
    finally:
        STOP.clear()
        for number, handler in before.items():
            signal.signal(number, handler)
