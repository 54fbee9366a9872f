"""Prove the links between services: from where the dependant runs, a connection to each address it was told of."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from llmstack.core.ladder import Climb
from llmstack.core.observe import in_parallel
from llmstack.domain.ladder import Ladder, Rung, Why
from llmstack.errors import LlmstackError
from llmstack.modeltype import Peer
from llmstack.protocols import Engine

CONNECT = """import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 3).close()
except OSError as error:
    sys.exit(error.strerror or str(error))
"""
TRY = Path(__file__).with_name("link.sh").read_text(encoding="utf-8")
"""Tries it with what the image has; host, port and CONNECT are its arguments."""
NO_TOOL = (126, 127)
"""How a command ends that is not there, be it the shell."""

Tried = tuple[bool | None, str, float]


def climb_links(climb: Climb, ladder: Ladder) -> Ladder:
    """`ladder` and a rung for each service that the climb's own was told of; only of what runs, and is of ours."""
    wanted, why = climb.wanted, ladder.why
    ours = climb.target == wanted.target and climb.there is not None and climb.there.running
    peers = list(wanted.peers) if ours else []
    for ok, detail, ms in in_parallel(partial(_try, climb), peers, climb.context.forks):
        climb.note(Rung.LINKED, detail, ok=ok, ms=ms)
        if ok is False:
            why = why or Why(summary=detail, do=f"llmstack up --service {wanted.target.name}")
    return replace(ladder, rungs=tuple(climb.rungs), why=why)


def _try(climb: Climb, peer: Peer) -> Tried:
    context, there, clock = climb.context, climb.there, climb.context.clock
    assert there is not None
    place = _place(peer)
    if place is None:
        return None, f"{peer.name}: unknown, it has no port that others can be told; give it one", 0.0
    began, engine = clock.monotonic(), context.engine(climb.wanted)
    ok, told = _execute(engine, there.container_name, _command(climb.wanted.engine, *place))
    return ok, ": ".join(filter(None, (peer.url, told))), (clock.monotonic() - began) * 1000


def _execute(engine: Engine, name: str, command: Sequence[str]) -> tuple[bool | None, str]:
    try:
        engine.execute(name, command)
    except LlmstackError as error:
        return _reason(error)
    return True, ""


def _place(peer: Peer) -> tuple[str, int] | None:
    """PURE: host and port; None for one whose port nobody knows before it runs."""
    parts = urlsplit(peer.url)
    if parts.hostname is None or (parts.port is None and parts.hostname == peer.name):
        return None
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _command(engine: str, host: str, port: int) -> Sequence[str]:
    """PURE: nothing of the user's is read by a shell."""
    if engine == "process":
        return (sys.executable, "-I", "-c", CONNECT, host, str(port))
    return ("sh", "-c", TRY, "sh", host, str(port), CONNECT)


def _reason(error: LlmstackError) -> tuple[bool | None, str]:
    """PURE: whether there is no link, or it could not be tried, and why."""
    ended, said = error.data.get("ended"), str(error.data.get("said") or "").strip()
    if ended is None:
        return None, f"unknown, {error.message}"
    if ended in NO_TOOL:
        return None, "unknown, its image has nothing to try it with"
    lines = [line for line in said.splitlines() if "/dev/tcp" not in line]
    return False, re.sub(r"^\S+: line \d+: ", "", lines[-1]) if lines else "no connection"
