"""One instance's keeper: a small detached process that holds a lock, runs the server, and dies with it.

It loads nothing but the standard library. The launch comes as JSON on standard input (its environment holds secrets,
so it never touches a file or a command line); one JSON line on standard output tells how the start went. From then on
everything happens in the instance's folder, by relative names, so that the folder may be renamed under a running
server; once the folder is deleted, the server is killed. Signals: SIGTERM ends it on purpose, SIGUSR1 kills its group.

Killed itself, it takes the server along on Linux (PR_SET_PDEATHSIG); elsewhere the next `stop` or `start` sweeps up.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from llmstack.engines.process.files import ENDED, EXIT, LOCK, RUNNING, STATE, WAITING, read_json, try_lock, write_json
from llmstack.engines.process.log import LogWriter
from llmstack.engines.process.policy import GOOD_RUN_S, delay_s, oom_kills, out_of_memory, restarts_after

LOCK_WAIT_S = 1.0
HOME_S = 2.0
"""How soon it is seen that the folder was deleted."""
CHUNK_BYTES = 65536
LAST_CHUNKS = 16
"""A pipe holds far less; a bound, because a daemon that escaped may write for ever."""
PR_SET_PDEATHSIG = 1
NO_PROGRAM = 127
"""Exit code of a program that cannot be run, as shells have it."""


class Shim:
    """Runs one server until it is told to stop, or its restart policy gives up."""

    def __init__(self, launch: dict[str, Any], wake: int) -> None:
        self.launch = launch
        self.log = LogWriter(launch["log_bytes"])
        self.state = read_json(STATE)
        self.stopping = False
        self.restarts = self.failures = 0
        self.last: dict[str, object] = {}
        self.server: subprocess.Popen[bytes] | None = None
        self.selector = selectors.DefaultSelector()
        self.wake = wake
        self.selector.register(wake, selectors.EVENT_READ)

    def spawn(self) -> int:
        """Start the server in a session of its own; returns its pid. Raises OSError."""
        self.kills = oom_kills()
        self.started = time.monotonic()
        self.server = server = subprocess.Popen(
            self.launch["argv"],
            env=self.launch["env"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
            preexec_fn=_die_with_parent(),  # noqa: PLW1509 - one thread here
        )
        assert server.stdout
        os.set_blocking(server.stdout.fileno(), False)
        self.selector.register(server.stdout, selectors.EVENT_READ)
        self._note(RUNNING, started_at=time.time())
        return server.pid

    def serve(self) -> None:
        """Keep the server running as its policy says; returns when it has ended for good."""
        while True:
            exit_code = self._wait(self.server) if self.server else self._count(NO_PROGRAM, None)
            again = not self.stopping and restarts_after(self.launch["restart"], exit_code, self.failures)
            if not again or not self._pause():
                break
            self.restarts += 1
            try:
                self.spawn()
            except OSError as error:
                self.log.write(f"cannot start {self.launch['argv'][0]}: {error.strerror}\n".encode())
        self._note(ENDED)

    def _wait(self, server: subprocess.Popen[bytes]) -> int:
        """Until the server ended; then kill what it left behind and keep its last words. Returns the exit code."""
        while not _ended(server.pid):
            self._turn(HOME_S)
            try:
                os.getcwd()
            except FileNotFoundError:  # somebody deleted the folder, and nobody could find and stop it any more
                self.stopping = True
                _kill_group(server.pid)
        _kill_group(server.pid)  # before it is reaped, while its pid is surely ours
        for _ in range(LAST_CHUNKS):
            if not self._pump(server):
                break
        self._unlisten(server)
        status = server.wait()
        self.server = None
        if time.monotonic() - self.started >= GOOD_RUN_S:
            self.failures = 0
        return self._count(128 - status, -status) if status < 0 else self._count(status, None)

    def _pause(self) -> bool:
        """Wait before a restart. False when a stop came in between."""
        self._note(WAITING)
        deadline = time.monotonic() + delay_s(self.failures)
        while not self.stopping and (left_s := deadline - time.monotonic()) > 0:
            self._turn(left_s)
        if self.stopping:
            self._note_exit()
        return not self.stopping

    def _turn(self, timeout_s: float) -> None:
        """Wait for output or a signal, and act on it."""
        for key, _ in self.selector.select(timeout_s):
            if key.fd == self.wake:
                self._signalled(os.read(self.wake, 64))
            elif self.server and self._pump(self.server) == b"":
                self._unlisten(self.server)

    def _signalled(self, numbers: bytes) -> None:
        kill = signal.SIGUSR1 in numbers
        if kill or signal.SIGTERM in numbers:
            self.stopping = True
            if self.server and kill:
                _kill_group(self.server.pid)
            elif self.server:
                self.server.send_signal(signal.SIGTERM)

    def _pump(self, server: subprocess.Popen[bytes]) -> bytes | None:
        """Move one piece of output to the log; empty at its end, None when there is none now."""
        data: bytes | None = server.stdout.read(CHUNK_BYTES) if server.stdout and not server.stdout.closed else b""
        if data:
            self.log.write(data)
        return data

    def _unlisten(self, server: subprocess.Popen[bytes]) -> None:
        if server.stdout and not server.stdout.closed:
            self.selector.unregister(server.stdout)
            server.stdout.close()

    def _count(self, exit_code: int, number: int | None) -> int:
        """One more end: `exit_code` is 128 + N after signal N, as engines have it."""
        self.failures += 1
        killed = number == signal.SIGKILL and not self.stopping
        oom = out_of_memory(self.kills, oom_kills(), killed=killed)
        self.last = {"exit_code": exit_code, "signal": number, "out_of_memory": oom, "finished_at": time.time()}
        self._note_exit()
        return exit_code

    def _note_exit(self) -> None:
        with contextlib.suppress(OSError):  # a full disk: the phase in state.json still says that it is over
            write_json(EXIT, {**self.last, "on_purpose": self.stopping})

    def _note(self, phase: str, **facts: object) -> None:
        pid = self.server.pid if self.server else None
        self.state |= {"phase": phase, "pid": pid, "restarts": self.restarts, **facts}
        with contextlib.suppress(OSError):  # a full disk must not end a good server
            write_json(STATE, self.state)


def _ended(pid: int) -> bool:
    """Whether a child ended; it is not reaped, so that its pid and group stay ours."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _die_with_parent() -> Callable[[], None] | None:
    """What a child does before it becomes the server; made ready before the fork."""
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return bind


def _hold_lock() -> bool:
    """Take the folder's lock for the life of this process; False when another shim has it. Raises OSError.

    The patience is for lookers, who hold it for microseconds."""
    fd = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LOCK_WAIT_S
    while not try_lock(fd):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    os.truncate(fd, 0)
    os.write(fd, str(os.getpid()).encode())
    os.stat(STATE)  # the folder may have been removed while we waited
    return True


def _listen_to_signals() -> int:
    """Every signal of interest becomes one byte in a pipe; returns its reading end."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return reader


def _detach() -> int:
    """Leave the caller's session and streams; the caller reaps the first process at once. Returns where to report."""
    if os.fork():
        os._exit(0)
    os.setsid()
    report = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    return report


def _begin(launch: dict[str, Any]) -> tuple[Shim | None, dict[str, object]]:
    """The shim at work, or None; and what to report."""
    try:
        if not _hold_lock():
            return None, {"running": True}
        shim = Shim(launch, _listen_to_signals())
        pid = shim.spawn()
    except OSError as error:
        return None, {"error": error.strerror or str(error)}
    with contextlib.suppress(OSError):
        os.unlink(EXIT)
    return shim, {"pid": pid}


def main(folder: str) -> None:
    """Keep the instance of `folder`; returns when its server has ended for good."""
    os.chdir(folder)
    launch = json.load(sys.stdin)
    report = _detach()
    shim, answer = _begin(launch)
    with contextlib.suppress(BrokenPipeError):
        os.write(report, json.dumps(answer).encode())
    os.close(report)
    if shim:
        shim.serve()
